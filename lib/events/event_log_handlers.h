#pragma once

#include "absl/status/statusor.h"
#include "lib/events/event_log.h"
#include "lib/rpc/call.h"
#include "slipway/events/v1/event_log.pb.h"

namespace slipway::events {

// The unary methods of EventLogService. Thread-safe; the log must outlive the handlers.
class EventLogHandlers final {
 public:
  explicit EventLogHandlers(EventLog& log) : log_(log) {}

  // A page may hold fewer events than asked for, or none, before the end of the log: the end is
  // where next_page_token is empty. Blocks on disk.
  absl::StatusOr<v1::ListEventsResponse> ListEvents(const rpc::Call& call,
                                                    const v1::ListEventsRequest& request);

 private:
  EventLog& log_;
};

}  // namespace slipway::events
