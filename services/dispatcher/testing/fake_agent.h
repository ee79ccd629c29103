#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "slipway/agent/v1/agent_service.grpc.pb.h"

namespace slipway::dispatcher {

// An agent on the wire, without a sandbox: takes every grant and hands in what its script says, at
// once. Without an answer of the script it keeps the grant and is silent.
class FakeAgent final {
 public:
  using Script =
      std::function<std::optional<agent::v1::SubmitResultRequest>(const agent::v1::Grant& grant)>;

  struct Options {
    std::string name;
    std::string token;
    std::string host = "hosts/test";
    int64_t boot_nonce = 1;
    std::vector<agent::v1::HeldGrant> held;
    bool takes_grants = true;
    int protocol = 1;
    int protocol_min = 1;
  };

  FakeAgent(std::shared_ptr<grpc::Channel> channel, Options options, Script script);
  ~FakeAgent() { Leave(); }

  // Ends the session. Idempotent.
  void Leave();

  absl::StatusOr<agent::v1::SubmitResultResponse> Submit(
      const agent::v1::SubmitResultRequest& request);
  // The base, if there is one, and the pieces.
  absl::StatusOr<std::string> GetSnapshot(const agent::v1::Grant& grant,
                                          const std::vector<std::string>& cached = {});
  // Hands in on the session.
  void Report(const agent::v1::SubmitResultRequest& result, bool ready);
  void SendBeat();
  void SendLog(const agent::v1::Grant& grant, int64_t offset, const std::string& data);
  void SendProgress(const agent::v1::Grant& grant, const std::string& detail);

  std::vector<agent::v1::Grant> grants();
  std::vector<agent::v1::ResultReceipt> receipts();
  // Of the last Welcome; 0 before it.
  int protocol();
  // The verdicts heard, newest last.
  std::vector<agent::v1::GrantVerdict> verdicts();
  // How the session ended; absent while it runs.
  std::optional<absl::Status> ended();

  // A result for `grant`: a change, or evidence that passes or fails.
  static agent::v1::SubmitResultRequest Change(const agent::v1::Grant& grant);
  static agent::v1::SubmitResultRequest Evidence(const agent::v1::Grant& grant, bool passed);
  static agent::v1::SubmitResultRequest ResultOf(const agent::v1::Grant& grant);
  // Does what every grant asks for.
  static std::optional<agent::v1::SubmitResultRequest> Obedient(const agent::v1::Grant& grant);

 private:
  void Loop();
  void HandleGrant(const agent::v1::Grant& grant);
  void Write(const agent::v1::SessionRequest& request);

  const Options options_;
  const Script script_;
  const std::unique_ptr<agent::v1::AgentService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<agent::v1::SessionRequest, agent::v1::SessionResponse>>
      stream_;
  base::Mutex write_mutex_;
  base::Mutex mutex_;
  int64_t beats_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<agent::v1::Grant> grants_ ABSL_GUARDED_BY(mutex_);
  std::vector<agent::v1::ResultReceipt> receipts_ ABSL_GUARDED_BY(mutex_);
  int protocol_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<agent::v1::HeldGrant> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<agent::v1::GrantVerdict> verdicts_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace slipway::dispatcher
