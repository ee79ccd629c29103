#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "services/planner/domain/plan_store.h"
#include "services/planner/domain/starter.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::planner {

// Follows the dispatcher's log on a thread of its own and tells the starter how runs end. The
// position is stored after the events before it were applied, so nothing is missed over restarts of
// either side; when the log cannot be continued, every running plan is asked for instead.
class RunFollower final {
 public:
  RunFollower(const std::shared_ptr<grpc::Channel>& dispatcher, PlanStore& store, Starter& starter);
  ~RunFollower() { Stop(); }

  // Breaks off and joins. Idempotent.
  void Stop();

 private:
  void Loop();
  absl::Status Follow(grpc::ClientContext& context);
  absl::Status Apply(const events::v1::WatchResponse& response);
  // Starts anew after a token that the dispatcher does not accept.
  absl::Status Restart();

  const std::unique_ptr<events::v1::EventLogService::StubInterface> stub_;
  PlanStore& store_;
  Starter& starter_;

  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;  // Of the stream that is open.
  std::thread thread_;
};

}  // namespace slipway::planner
