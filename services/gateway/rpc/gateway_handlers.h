#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "lib/rpc/call.h"
#include "services/gateway/domain/tokens.h"
#include "services/gateway/rpc/gatekeeper.h"
#include "slipway/gateway/v1/gateway_service.pb.h"

namespace slipway::gateway {

// Answers the gateway's own methods. Callers have passed the gatekeeper. Thread-safe; blocks on
// disk and, in GetStatus, on the services.
class GatewayHandlers final {
 public:
  // `backends` are the services of the suite, without the gateway.
  GatewayHandlers(Tokens& tokens, const Gatekeeper::Channels& backends, std::string version);

  absl::StatusOr<v1::ExchangeTokenResponse> ExchangeToken(const rpc::Call& call,
                                                          const v1::ExchangeTokenRequest& request);
  absl::StatusOr<v1::GetCallerResponse> GetCaller(const rpc::Call& call,
                                                  const v1::GetCallerRequest& request);
  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const rpc::Call& call,
                                                      const v1::CreateTokenRequest& request);
  absl::StatusOr<v1::ListTokensResponse> ListTokens(const rpc::Call& call,
                                                    const v1::ListTokensRequest& request);
  absl::StatusOr<v1::RevokeTokenResponse> RevokeToken(const rpc::Call& call,
                                                      const v1::RevokeTokenRequest& request);
  absl::StatusOr<v1::GetStatusResponse> GetStatus(const rpc::Call& call,
                                                  const v1::GetStatusRequest& request);

 private:
  Tokens& tokens_;
  const std::string version_;
  std::map<std::string, std::unique_ptr<grpc::health::v1::Health::StubInterface>> health_;
};

}  // namespace slipway::gateway
