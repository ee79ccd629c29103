#include "services/models/rpc/models_handlers.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/rpc/failure.h"
#include "lib/rpc/proto_time.h"
#include "services/models/domain/call_check.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"
#include "services/models/rpc/convert.h"

namespace slipway::models {

void ModelsHandlers::Generate(const v1::GenerateRequest& request, ReplySink& sink,
                              Cancellation& cancellation, GenerateDone done) {
  absl::StatusOr<CallSpec> spec = CallSpecFromProto(request);
  if (!spec.ok()) return std::move(done)(spec.status());
  absl::StatusOr<RunningCalls::Place> place = with_.caller.TakePlace();
  if (!place.ok()) return std::move(done)(place.status());
  with_.caller.Start(*std::move(spec), sink, cancellation, /*may_block=*/true,
                     [done = std::move(done), place = *std::move(place)](
                         const absl::StatusOr<CallOutcome>& outcome) mutable {
                       if (!outcome.ok()) return std::move(done)(outcome.status());
                       std::move(done)(OutcomeToProto(*outcome));
                     });
}

absl::StatusOr<v1::EstimateResponse> ModelsHandlers::Estimate(const rpc::Call&,
                                                              const v1::EstimateRequest& request) {
  const absl::StatusOr<Caller::Estimate> estimate =
      with_.caller.EstimateCall(request.role(), request.input_tokens(), request.output_tokens());
  if (base::ReasonOf(estimate.status()) == "PRICE_UNKNOWN") {
    ASSIGN_OR_RETURN(const std::vector<Route> routes, with_.routes.For(request.role()));
    return PriceUnknown(routes.front().provider, routes.front().model);
  }
  RETURN_IF_ERROR(estimate.status());
  v1::EstimateResponse response;
  response.set_cost_usd_nanos(estimate->cost_usd_nanos);
  response.set_provider(estimate->route.provider);
  response.set_model(estimate->route.model);
  return response;
}

absl::StatusOr<v1::IssueAttemptKeyResponse> ModelsHandlers::IssueAttemptKey(
    const rpc::Call&, const v1::IssueAttemptKeyRequest& request) {
  ASSIGN_OR_RETURN(const AttemptKeys::Issued issued, with_.keys.IssueKey(IssueFromProto(request)));
  v1::IssueAttemptKeyResponse response;
  FillKey(issued, response);
  return response;
}

void ModelsHandlers::FillKey(const AttemptKeys::Issued& issued,
                             v1::IssueAttemptKeyResponse& response) {
  response.set_key(issued.secret);
  *response.mutable_expire_time() = rpc::ToProto(issued.expire_time);
  response.set_proxy_address(with_.proxy_address);
  response.set_role(issued.role);
  for (const std::string& reason : issued.role_reasons) response.add_role_reasons(reason);
}

absl::StatusOr<v1::ChangeAttemptKeysResponse> ModelsHandlers::ChangeAttemptKeys(
    const rpc::Call&, const v1::ChangeAttemptKeysRequest& request) {
  const int operations = request.issues_size() + request.revocations_size();
  if (operations > kKeyChangesMax) return BatchTooLarge(operations, kKeyChangesMax);
  v1::ChangeAttemptKeysResponse response;
  for (const v1::IssueAttemptKeyRequest& issue : request.issues()) {
    const absl::StatusOr<AttemptKeys::Issued> issued =
        with_.keys.IssueKey(IssueFromProto(issue), Durability::kWithSync);
    auto& result = *response.add_issued();
    if (issued.ok()) {
      FillKey(*issued, *result.mutable_key());
    } else {
      rpc::ToFailure(issued.status(), *result.mutable_error());
    }
  }
  for (const v1::RevokeAttemptKeysRequest& revocation : request.revocations()) {
    const absl::StatusOr<int> revoked =
        with_.keys.Revoke(revocation.attempt(), Durability::kWithSync);
    auto& result = *response.add_revoked();
    if (revoked.ok()) {
      result.mutable_revoked()->set_revoked(*revoked);
    } else {
      rpc::ToFailure(revoked.status(), *result.mutable_error());
    }
  }
  // One sync for all of them, before anybody hears of one.
  RETURN_IF_ERROR(with_.store.Sync());
  return response;
}

absl::StatusOr<v1::RevokeAttemptKeysResponse> ModelsHandlers::RevokeAttemptKeys(
    const rpc::Call&, const v1::RevokeAttemptKeysRequest& request) {
  ASSIGN_OR_RETURN(const int revoked, with_.keys.Revoke(request.attempt()));
  v1::RevokeAttemptKeysResponse response;
  response.set_revoked(revoked);
  return response;
}

absl::StatusOr<v1::ListCallsResponse> ModelsHandlers::ListCalls(
    const rpc::Call&, const v1::ListCallsRequest& request) {
  if (request.page_size() < 0) return PageInvalid();
  const int size = request.page_size() == 0 ? kPageSizeDefault
                                            : std::min<int>(request.page_size(), kPageSizeMax);
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!request.page_token().empty() &&
      (!absl::SimpleAtoi(request.page_token(), &before) || before <= 0)) {
    return PageInvalid();
  }
  ASSIGN_OR_RETURN(const std::vector<CallRecord> records,
                   with_.store.ListCalls(before, request.scope(), size));
  v1::ListCallsResponse response;
  for (const CallRecord& record : records) *response.add_calls() = CallToProto(record);
  if (static_cast<int>(records.size()) == size) {
    response.set_next_page_token(absl::StrCat(records.back().sequence));
  }
  return response;
}

absl::StatusOr<v1::ListRoutesResponse> ModelsHandlers::ListRoutes(const rpc::Call&,
                                                                  const v1::ListRoutesRequest&) {
  v1::ListRoutesResponse response;
  for (const Route& route : with_.routes.routes()) *response.add_routes() = RouteToProto(route);
  for (const InputCalibration& one : with_.calibration.All()) {
    *response.add_calibrations() = CalibrationToProto(one);
  }
  return response;
}

absl::StatusOr<v1::ExplainRouteResponse> ModelsHandlers::ExplainRoute(
    const rpc::Call&, const v1::ExplainRouteRequest& request) {
  if (!request.scope().empty()) return ExplainScope(request.scope());
  v1::ExplainRouteResponse response;
  if (!request.call().empty()) {
    // A try's id is the call's with a number, from the second on.
    std::string id(absl::StripPrefix(request.call(), "calls/"));
    id = id.substr(0, id.find('~'));
    ASSIGN_OR_RETURN(const std::vector<CallRecord> tries, with_.store.FindTries(id));
    if (tries.empty()) return CallUnknown(request.call());
    response.set_role(tries.front().scopes.role);
    for (const CallRecord& record : tries) *response.add_tries() = CallToProto(record);
    return response;
  }
  response.set_role(request.role());
  if (request.role().empty()) {
    const RoleChoice choice = ChooseRole(TraitsFromProto(request.intent(), request.traits()));
    response.set_role(choice.role);
    for (const std::string& reason : choice.reasons) response.add_role_reasons(reason);
  }
  ASSIGN_OR_RETURN(const std::vector<Caller::Verdict> verdicts,
                   with_.caller.Explain(response.role(), {}, request.input_tokens()));
  for (const Caller::Verdict& verdict : verdicts) {
    v1::RouteVerdict* proto = response.add_routes();
    *proto->mutable_route() = RouteToProto(verdict.route);
    proto->set_usable(verdict.admissible.ok());
    proto->set_reason(base::ReasonOf(verdict.admissible));
    proto->set_detail(std::string(verdict.admissible.message()));
  }
  return response;
}

absl::StatusOr<v1::ExplainRouteResponse> ModelsHandlers::ExplainScope(const std::string& scope) {
  Scopes attempt;
  const bool one = ScopesOfAttempt(scope, attempt).ok();
  if (!one) RETURN_IF_ERROR(CheckScopeOfWork(scope));
  ASSIGN_OR_RETURN(const std::vector<RoleDecision> decisions,
                   with_.store.Decisions(scope, kPageSizeMax));
  if (decisions.empty()) return DecisionUnknown(scope);
  v1::ExplainRouteResponse response;
  if (one) response.set_role(decisions.front().scopes.role);
  for (const RoleDecision& decision : decisions) {
    *response.add_decisions() = DecisionToProto(decision);
  }
  if (!one) return response;
  ASSIGN_OR_RETURN(
      const std::vector<CallRecord> calls,
      with_.store.ListCalls(std::numeric_limits<int64_t>::max(), scope, kPageSizeDefault));
  for (const CallRecord& record : calls) *response.add_tries() = CallToProto(record);
  return response;
}

absl::StatusOr<v1::ApproveCallsResponse> ModelsHandlers::ApproveCalls(
    const rpc::Call& call, const v1::ApproveCallsRequest& request) {
  if (request.request_id().empty()) return RequestIdRequired();
  RETURN_IF_ERROR(with_.routes.For(request.role()).status());
  RETURN_IF_ERROR(CheckScopeOfWork(request.scope()));
  const absl::Duration lifetime = rpc::FromProto(request.lifetime());
  if (lifetime <= absl::ZeroDuration() || lifetime > kKeyLifetimeMax) return LifetimeInvalid();
  if (request.calls() < 1 || request.calls() > kApprovedCallsMax) return LimitInvalid();
  ASSIGN_OR_RETURN(const absl::Time expire_time,
                   with_.store.PutApproval({.id = request.request_id(),
                                            .scope = request.scope(),
                                            .role = request.role(),
                                            .calls = request.calls(),
                                            .expire_time = with_.clock.Now() + lifetime,
                                            .principal = call.principal()}));
  log::Info("calls approved", {{"role", request.role()},
                               {"scope", request.scope()},
                               {"calls", request.calls()},
                               {"principal", call.principal()}});
  v1::ApproveCallsResponse response;
  *response.mutable_expire_time() = rpc::ToProto(expire_time);
  return response;
}

absl::StatusOr<v1::ListProvidersResponse> ModelsHandlers::ListProviders(
    const rpc::Call&, const v1::ListProvidersRequest&) {
  v1::ListProvidersResponse response;
  const std::vector<Gate> gates = with_.gates.All();
  for (const auto& [name, provider] : with_.providers) {
    v1::Provider* proto = response.add_providers();
    proto->set_name(ProviderGateName(name));
    proto->set_kind(provider->kind());
    proto->set_enabled(true);  // One that may not be used is refused at start.
    if (const std::optional<HealthWatch::Finding> finding = with_.health.Of(name)) {
      *proto->mutable_check_time() = rpc::ToProto(finding->time);
      proto->set_healthy(finding->healthy);
      if (!finding->healthy) proto->set_last_error(finding->detail);
    }
    for (const Gate& gate : gates) {
      const std::string own = ProviderGateName(name);
      if (gate.name != own && !absl::StartsWith(gate.name, absl::StrCat(own, "/"))) continue;
      *proto->add_closed_gates() = GateToProto(gate);
      proto->set_last_error(gate.detail);
    }
  }
  return response;
}

absl::StatusOr<v1::OpenGateResponse> ModelsHandlers::OpenGate(const rpc::Call& call,
                                                              const v1::OpenGateRequest& request) {
  RETURN_IF_ERROR(with_.gates.Open(request.name()));
  log::Info("gate opened by hand", {{"gate", request.name()}, {"principal", call.principal()}});
  return v1::OpenGateResponse();
}

}  // namespace slipway::models
