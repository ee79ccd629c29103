#pragma once

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/rpc/call.h"
#include "services/gateway/rpc/merged_logs.h"
#include "slipway/events/v1/event_log.pb.h"

namespace slipway::gateway {

// The unary methods of the merged log. Thread-safe.
class MergedEventHandlers final {
 public:
  explicit MergedEventHandlers(std::shared_ptr<MergedLogs> logs) : logs_(std::move(logs)) {}

  // Past events of all logs, by time; those of one log in its order. A page may hold fewer events
  // than asked for before the end. Blocks on the services; fails with BACKEND_UNAVAILABLE when one
  // does not answer, as a list without its events would look complete.
  absl::StatusOr<events::v1::ListEventsResponse> ListEvents(
      const rpc::Call& call, const events::v1::ListEventsRequest& request);

 private:
  const std::shared_ptr<MergedLogs> logs_;
};

}  // namespace slipway::gateway
