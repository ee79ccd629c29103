#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/events/subscription.h"
#include "lib/rpc/call_record.h"
#include "services/gateway/rpc/log_follower.h"
#include "services/gateway/rpc/merged_logs.h"
#include "services/gateway/rpc/merged_token.h"
#include "slipway/events/v1/event_log.pb.h"

namespace slipway::gateway {

// One Watch stream over several logs: a follower of each log with at most one response waiting, and
// one write in flight. The position in a log moves when its events are written, so the token of a
// response follows exactly what was sent. A log that cannot be read is tried again with back-off
// and named in `lagging_logs` meanwhile; the others go on. Holds itself until gRPC is done with it.
//
// What happens is noted under the mutex; Drive then decides, and acts under no lock.
class MergedWatch final : public grpc::ServerWriteReactor<events::v1::WatchResponse>,
                          public std::enable_shared_from_this<MergedWatch> {
 public:
  static MergedWatch* Start(std::shared_ptr<MergedLogs> logs,
                            const grpc::CallbackServerContext& context,
                            const events::v1::WatchRequest& request);

  ~MergedWatch() override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { self_.reset(); }

 private:
  // All under mutex_.
  struct Source {
    std::shared_ptr<LogFollower> follower;  // Null between two streams.
    std::optional<events::v1::WatchResponse> waiting;
    bool settled = false;  // Its first response or its first failure came.
    bool lagging = false;
    absl::Duration back_off;
    std::unique_ptr<base::Timer> retry;
  };
  // What Drive decided.
  struct Actions {
    std::vector<std::shared_ptr<LogFollower>> next;
    std::vector<std::shared_ptr<LogFollower>> cancel;
    bool write = false;
    std::optional<absl::Status> finish;
  };

  MergedWatch(std::shared_ptr<MergedLogs> logs, const grpc::CallbackServerContext& context,
              const events::v1::WatchRequest& request);

  void Begin();
  absl::Status Prepare();
  void Connect(const std::string& log);
  void OnResponse(const std::string& log, events::v1::WatchResponse response);
  void OnEnd(const std::string& log, const grpc::Status& status);
  void OnTick();
  void ArmTick(absl::Duration delay);

  void Drive();
  Actions Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeBookmarks(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeEvents(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool BookmarkIsDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CompleteResponse() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::set<std::string> LaggingLogs() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<MergedLogs> logs_;
  const events::v1::WatchRequest request_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  rpc::CallRecord record_;
  std::shared_ptr<MergedWatch> self_;
  events::Subscription stop_;

  base::Mutex mutex_;
  MergedPosition position_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Source> sources_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);  // Why the stream has to end.
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool patience_over_ ABSL_GUARDED_BY(mutex_) =
      false;  // Logs that are not settled count as lagging.
  std::optional<absl::Duration> last_sent_ ABSL_GUARDED_BY(mutex_);  // By Clock::Elapsed.
  std::set<std::string> lagging_sent_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<base::Timer> tick_ ABSL_GUARDED_BY(mutex_);
  events::v1::WatchResponse response_;  // Of the write in flight, or of who decides on the next.
};

}  // namespace slipway::gateway
