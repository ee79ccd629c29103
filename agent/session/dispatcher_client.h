#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/security/credentials.h"

#include "agent/domain/grant.h"
#include "agent/domain/result.h"
#include "lib/base/clock.h"
#include "slipway/agent/v1/agent_service.grpc.pb.h"

namespace slipway::agent {

// The calls of one agent to its dispatcher. Thread-safe; all calls block.
class DispatcherClient final {
 public:
  enum class Receipt { kAccepted, kStale };
  static Receipt ReceiptFromProto(v1::SubmitResultResponse::Receipt proto);
  // Whether an error of a result is gone when it is handed in again.
  static bool IsPassing(const absl::Status& status);

  struct Target {
    std::string address;
    std::shared_ptr<grpc::ChannelCredentials> credentials;  // Null: without TLS.
    std::string server_name;
    std::string token;
  };

  DispatcherClient(Target target, base::Clock& clock);

  // Puts the token into `context`.
  void Authorize(grpc::ClientContext& context) const;
  v1::AgentService::StubInterface& stub() { return *stub_; }
  bool uses_tls() const { return uses_tls_; }

  // Hands the pack of the grant's snapshot to `sink`, whose first error ends the call. Returns the
  // one of `cached_commits` from which the pack is the difference; empty when it is complete.
  absl::StatusOr<std::string> GetSnapshot(const GrantKey& key,
                                          const std::vector<std::string>& cached_commits,
                                          absl::Duration timeout,
                                          absl::FunctionRef<absl::Status(absl::string_view)> sink);

  // Hands in `result`, again and again until there is a receipt, a refusal that no repeat changes,
  // `timeout` is over or `abandoned` says so.
  absl::StatusOr<Receipt> SubmitResult(const GrantKey& key, const Result& result,
                                       absl::Duration timeout, absl::FunctionRef<bool()> abandoned);

 private:
  const std::string token_;
  base::Clock& clock_;
  const bool uses_tls_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::AgentService::StubInterface> stub_;
};

}  // namespace slipway::agent
