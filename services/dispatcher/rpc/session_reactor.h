#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <optional>
#include <set>

#include "lib/base/executor.h"
#include "lib/base/mutex.h"
#include "services/dispatcher/domain/agent_session.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/domain/attempt_logs.h"
#include "services/dispatcher/domain/dispatcher.h"
#include "slipway/agent/v1/agent_service.pb.h"

namespace slipway::dispatcher {

// The dispatcher's end of one agent's stream: reads messages into commands of the core and writes
// its orders, one at a time. Holds itself until gRPC is done with it.
class SessionReactor final
    : public grpc::ServerBidiReactor<agent::v1::SessionRequest, agent::v1::SessionResponse>,
      public AgentSession,
      public std::enable_shared_from_this<SessionReactor> {
 public:
  // What all sessions share; must outlive the RPCs.
  struct Host {
    Dispatcher& dispatcher;
    AgentTokens& tokens;
    AttemptLogs& logs;
    base::Executor& log_executor;  // One thread: keeps the pieces of a log in order.
  };

  static SessionReactor* Start(Host& host, const grpc::CallbackServerContext& context);

  void Send(AgentOrder order) override;
  void End(absl::Status status) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { End(absl::CancelledError("the agent is gone")); }
  void OnDone() override;

 private:
  SessionReactor(Host& host, std::optional<AgentIdentity> identity)
      : host_(host), identity_(std::move(identity)) {}

  absl::Status Handle();
  absl::Status HandleHello();
  absl::Status HandleResult();
  void HandleLog(const agent::v1::LogChunk& log);
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_);

  Host& host_;
  const std::optional<AgentIdentity> identity_;
  std::shared_ptr<SessionReactor> self_;
  agent::v1::SessionRequest request_;  // Of the read in flight.
  bool greeted_ = false;               // Of the reader.
  int protocol_ = 1;                   // Set before anything is sent.

  base::Mutex mutex_;
  std::deque<agent::v1::SessionResponse> queue_ ABSL_GUARDED_BY(mutex_);
  agent::v1::SessionResponse response_;  // Of the write in flight.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> ending_ ABSL_GUARDED_BY(mutex_);
  std::set<AttemptKey> granted_ ABSL_GUARDED_BY(mutex_);  // Whose logs it may write.
};

}  // namespace slipway::dispatcher
