#include "services/gateway/rpc/gatekeeper.h"

#include <algorithm>

#include "absl/strings/strip.h"
#include "lib/base/status_macros.h"
#include "lib/log/context.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/status.h"
#include "lib/rpc/steady_time.h"
#include "services/gateway/domain/errors.h"
#include "services/gateway/domain/limits.h"

namespace slipway::gateway {
namespace {

metrics::Counter calls_ended({.name = "slipway_gateway_calls_total",
                              .description = "Calls passed on, by method and status code.",
                              .labels = {"method", "code"}});
metrics::Histogram call_seconds(
    {.name = "slipway_gateway_call_seconds",
     .description = "Time from the admission of a unary call to its answer.",
     .labels = {"method"}});

absl::string_view CodeName(const grpc::Status& status) {
  return rpc::CodeName(static_cast<absl::StatusCode>(status.error_code()));
}

// gRPC's own errors have no details: the way to the backend failed, not the call in the backend.
bool IsOfTransport(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE && status.error_details().empty();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Admission>> Gatekeeper::Admit(
    absl::string_view path, const std::optional<std::string>& secret, absl::Duration time_left) {
  const Method* const method = with_.methods.Find(path);
  if (method == nullptr) return MethodUnknown(absl::StripPrefix(path, "/").substr(0, 200));
  auto admission = std::make_unique<Admission>();
  admission->method = method;
  ASSIGN_OR_RETURN(admission->caller, Decide(*method, secret));
  admission->hold = with_.calls.Add(admission->caller.principal, admission->call);
  if (!admission->hold.held()) return CallsTooMany(kCallsMax);
  admission->request_id = with_.ids.NewId("request");
  admission->channel = with_.channels.at(method->backend);
  admission->started = with_.clock.Elapsed();

  grpc::ClientContext& context = admission->call->context;
  context.AddMetadata(rpc::kRequestIdKey, admission->request_id);
  context.AddMetadata(rpc::kRoleKey, std::string(RoleName(admission->caller.role)));
  if (!admission->caller.principal.empty()) {
    context.AddMetadata(rpc::kPrincipalKey, admission->caller.principal);
  }
  absl::Duration timeout = std::min(time_left, admission->caller.expire_time - with_.clock.Now());
  if (!method->streams()) timeout = std::min(timeout, kUnaryTimeoutMax);
  if (timeout < absl::InfiniteDuration()) context.set_deadline(rpc::DeadlineIn(timeout));
  return admission;
}

absl::StatusOr<Caller> Gatekeeper::Decide(const Method& method,
                                          const std::optional<std::string>& secret) {
  const Role required = method.for_services_only() ? Role::kService : method.required_role;
  if (required == Role::kPublic) return Caller();
  const absl::StatusOr<Token> token = secret.has_value() ? with_.tokens.Authenticate(*secret)
                                                         : absl::StatusOr<Token>(TokenMissing());
  if (!token.ok()) {
    with_.access_log.Denied(method.name, "", required);
    return token.status();
  }
  if (!Allows(token->role, required)) {
    with_.access_log.Denied(method.name, token->name, required);
    if (required == Role::kService) return MethodInternal(method.name);
    return RoleRequired(method.name, required, token->role);
  }
  return Caller{.principal = token->name,
                .role = token->role,
                .expire_time = token->expire_time.value_or(absl::InfiniteFuture())};
}

grpc::Status Gatekeeper::Conclude(Admission& admission, const grpc::Status& status) {
  admission.hold.Release();
  grpc::Status told = status;
  if (admission.call->revoked || admission.caller.expire_time <= with_.clock.Now()) {
    if (!status.ok()) told = rpc::ToGrpcStatus(TokenInvalid());
  } else if (IsOfTransport(status)) {
    told = rpc::ToGrpcStatus(BackendUnavailable(admission.method->backend));
  }
  const std::string& name = admission.method->name;
  const absl::Duration took = with_.clock.Elapsed() - admission.started;
  calls_ended.Increment({name, CodeName(told)});
  if (!admission.method->streams()) call_seconds.Observe({name}, took);
  if (admission.method->required_role == Role::kAdmin) {
    with_.access_log.Called(name, admission.caller.principal, CodeName(told));
  }
  if (!told.ok() && told.error_code() != grpc::StatusCode::CANCELLED) {
    const log::ScopedContext context({.request_id = admission.request_id});
    log::Info("a call failed", {{"method", name},
                                {"code", CodeName(told)},
                                {"error", told.error_message()},
                                {"principal", admission.caller.principal},
                                {"milliseconds", absl::ToDoubleMilliseconds(took)}});
  }
  return told;
}

}  // namespace slipway::gateway
