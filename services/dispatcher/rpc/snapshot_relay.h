#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/mutex.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/domain/dispatcher.h"
#include "slipway/agent/v1/agent_service.pb.h"
#include "slipway/repository/v1/repository_service.grpc.pb.h"

namespace slipway::dispatcher {

// Hands the snapshot of a grant on from the reviewer to the agent. The next piece is read only when
// the one before was written, so a slow agent holds one piece and no memory grows. Holds itself
// until gRPC is done with both sides.
class SnapshotRelay final : public grpc::ServerWriteReactor<agent::v1::GetSnapshotResponse>,
                            public std::enable_shared_from_this<SnapshotRelay> {
 public:
  // What all relays share; must outlive the RPCs.
  struct Host {
    Dispatcher& dispatcher;
    AgentTokens& tokens;
    repository::v1::RepositoryService::Stub& repository;
  };

  static SnapshotRelay* Start(Host& host, const grpc::CallbackServerContext& context,
                              const agent::v1::GetSnapshotRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { self_.reset(); }

 private:
  class Source;

  SnapshotRelay(Host& host, std::vector<std::string> cached_commits)
      : host_(host), cached_commits_(std::move(cached_commits)) {}

  void Open(const AttemptKey& key, const absl::StatusOr<std::string>& commit);
  void Pass(repository::v1::GetSnapshotResponse& piece);
  void End(const absl::Status& status);

  Host& host_;
  const std::vector<std::string> cached_commits_;  // Of the agent's host.
  std::shared_ptr<SnapshotRelay> self_;
  agent::v1::GetSnapshotResponse response_;
  // Of the pieces that came; those that read and write them take turns.
  uint64_t bytes_ = 0;
  bool incremental_ = false;
  base::Mutex mutex_;
  std::shared_ptr<Source> source_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace slipway::dispatcher
