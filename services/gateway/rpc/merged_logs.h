#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/events/subscription.h"
#include "services/gateway/rpc/gatekeeper.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::gateway {

// The logs that are merged, and what all readers of the merge share. Thread-safe.
class MergedLogs final {
 public:
  using Stub = events::v1::EventLogService::Stub;

  // One log per channel, by name. The clock must outlive the RPCs.
  MergedLogs(const Gatekeeper::Channels& channels, base::Clock& clock);

  const std::set<std::string>& names() const { return names_; }
  Stub& stub(const std::string& log) { return *stubs_.at(log); }
  base::Clock& clock() { return clock_; }

  // The logs that `filter` asks for. Fails with FILTER_INVALID when it is malformed or names a log
  // that there is not.
  absl::StatusOr<std::set<std::string>> Selected(const events::v1::EventFilter& filter) const;

  // Ends all streams, now and later.
  void EndStreams();
  bool stopping() const { return stopping_; }
  [[nodiscard]] events::Subscription OnStop(events::Subscriptions::Wake wake) {
    return stops_.Add(std::move(wake));
  }

  std::atomic<int> streams = 0;

 private:
  base::Clock& clock_;
  std::set<std::string> names_;
  std::map<std::string, std::unique_ptr<Stub>> stubs_;
  std::atomic<bool> stopping_ = false;
  events::Subscriptions stops_;
};

// `status`, naming the log that it is about.
absl::Status OfLog(const absl::Status& status, const std::string& log);

}  // namespace slipway::gateway
