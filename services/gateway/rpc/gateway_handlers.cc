#include "services/gateway/rpc/gateway_handlers.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/client_call.h"
#include "services/gateway/rpc/convert.h"

namespace slipway::gateway {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// Healthy services answer within milliseconds; a person waits for the sum of those that hang.
constexpr absl::Duration kHealthTimeout = absl::Seconds(1);

template <typename Response>
Response ToProto(const Tokens::Issued& issued) {
  Response response;
  response.set_secret(issued.secret);
  *response.mutable_token() = TokenToProto(issued.token);
  return response;
}

v1::GetStatusResponse::Service Ask(const std::string& name, Health::StubInterface& health) {
  v1::GetStatusResponse::Service service;
  service.set_name(name);
  const absl::StatusOr<HealthCheckResponse> answer = rpc::CallUnary(
      health, &Health::StubInterface::Check, HealthCheckRequest(), {.timeout = kHealthTimeout});
  service.set_serving(answer.ok() && answer->status() == HealthCheckResponse::SERVING);
  if (service.serving()) return service;
  service.set_problem(
      answer.ok() ? "it is stopping or not ready"
      : absl::IsDeadlineExceeded(answer.status())
          ? absl::StrCat("it does not answer within ", absl::FormatDuration(kHealthTimeout))
          : "it does not run, or cannot be reached");
  return service;
}

}  // namespace

GatewayHandlers::GatewayHandlers(Tokens& tokens, const Gatekeeper::Channels& backends,
                                 std::string version)
    : tokens_(tokens), version_(std::move(version)) {
  for (const auto& [name, channel] : backends) health_[name] = Health::NewStub(channel);
}

absl::StatusOr<v1::ExchangeTokenResponse> GatewayHandlers::ExchangeToken(
    const rpc::Call&, const v1::ExchangeTokenRequest& request) {
  ASSIGN_OR_RETURN(const Tokens::Issued issued, tokens_.Exchange(request.one_time_token()));
  return ToProto<v1::ExchangeTokenResponse>(issued);
}

absl::StatusOr<v1::GetCallerResponse> GatewayHandlers::GetCaller(const rpc::Call& call,
                                                                 const v1::GetCallerRequest&) {
  v1::GetCallerResponse response;
  response.set_principal(call.principal());
  response.set_role(RoleToProto(RoleFromName(call.role()).value_or(Role::kNone)));
  return response;
}

absl::StatusOr<v1::CreateTokenResponse> GatewayHandlers::CreateToken(
    const rpc::Call& call, const v1::CreateTokenRequest& request) {
  ASSIGN_OR_RETURN(const Tokens::Draft draft, DraftFromProto(request));
  ASSIGN_OR_RETURN(const Tokens::Issued issued, tokens_.Create(draft, call.principal()));
  return ToProto<v1::CreateTokenResponse>(issued);
}

absl::StatusOr<v1::ListTokensResponse> GatewayHandlers::ListTokens(
    const rpc::Call&, const v1::ListTokensRequest& request) {
  ASSIGN_OR_RETURN(const int limit, PageSizeOf(request.page_size()));
  ASSIGN_OR_RETURN(const std::optional<int64_t> before, PositionOf(request.page_token()));
  ASSIGN_OR_RETURN(const TokenPage page, tokens_.List(before, limit));
  v1::ListTokensResponse response;
  for (const Token& token : page.tokens) *response.add_tokens() = TokenToProto(token);
  if (page.next.has_value()) response.set_next_page_token(PageTokenOf(*page.next));
  return response;
}

absl::StatusOr<v1::RevokeTokenResponse> GatewayHandlers::RevokeToken(
    const rpc::Call& call, const v1::RevokeTokenRequest& request) {
  RETURN_IF_ERROR(tokens_.Revoke(request.name(), call.principal()));
  return v1::RevokeTokenResponse();
}

absl::StatusOr<v1::GetStatusResponse> GatewayHandlers::GetStatus(const rpc::Call&,
                                                                 const v1::GetStatusRequest&) {
  v1::GetStatusResponse response;
  v1::GetStatusResponse::Service own;
  own.set_name(kOwnBackend);
  own.set_serving(true);
  bool own_added = false;
  for (const auto& [name, health] : health_) {
    if (!own_added && name > kOwnBackend) {
      *response.add_services() = own;
      own_added = true;
    }
    *response.add_services() = Ask(name, *health);
  }
  if (!own_added) *response.add_services() = own;
  response.set_version(version_);
  return response;
}

}  // namespace slipway::gateway
