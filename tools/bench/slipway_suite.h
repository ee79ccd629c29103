#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/process.h"
#include "slipway/models/v1/models_service.grpc.pb.h"
#include "tools/bench/completion_load.h"
#include "tools/bench/ledger_client.h"
#include "tools/bench/server_process.h"

namespace slipway::bench {

// A ledger and a models service as they run in earnest: on a disk, with prices and budgets, and
// keys of attempts.
class SlipwaySuite final {
 public:
  struct Options {
    std::string directory;
    std::string models;    // The program.
    std::string upstream;  // "127.0.0.1:PORT".
  };
  static absl::StatusOr<std::unique_ptr<SlipwaySuite>> Start(const Options& options);
  ~SlipwaySuite();

  CompletionTarget Target(const std::string& role) const;
  LedgerClient& ledger() { return *ledger_client_; }
  pid_t models_pid() const { return models_->pid(); }

  // Calls that have no end yet.
  absl::StatusOr<int> RunningCalls();

 private:
  using Stub = models::v1::ModelsService::StubInterface;

  SlipwaySuite() = default;
  absl::Status StartLedger(const Options& options);
  absl::Status StartModels(const Options& options);
  absl::Status IssueKeys();

  std::unique_ptr<ServerProcess> ledger_;
  std::unique_ptr<LedgerClient> ledger_client_;
  std::unique_ptr<base::Process> models_;
  std::unique_ptr<Stub> stub_;
  std::string proxy_url_;
  std::vector<std::string> keys_;
};

}  // namespace slipway::bench
