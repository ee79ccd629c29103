#include "lib/events/event_log_handlers.h"

#include <algorithm>

#include "lib/base/status_macros.h"
#include "lib/events/convert.h"
#include "lib/events/errors.h"
#include "lib/events/limits.h"

namespace slipway::events {

absl::StatusOr<v1::ListEventsResponse> EventLogHandlers::ListEvents(
    const rpc::Call& call, const v1::ListEventsRequest& request) {
  if (request.page_size() < 0) return PageSizeInvalid(request.page_size());
  const int limit =
      request.page_size() == 0 ? kPageSizeDefault : std::min(request.page_size(), kBatchEventsMax);
  ASSIGN_OR_RETURN(const EventFilter filter, FilterFromProto(log_.name(), request.filter()));
  absl::StatusOr<int64_t> cursor =
      request.page_token().empty() ? kFromOldest : log_.DecodeToken(request.page_token());
  if (!cursor.ok()) return cursor.status();

  // Goes on over stretches that the filter leaves out, so that a page is rarely empty; a caller
  // that lost patience gets what there is.
  Page page{.next_cursor = *cursor};
  while (page.events.empty() && !page.at_end && !call.IsCancelled()) {
    ASSIGN_OR_RETURN(page, log_.ReadAfter(page.next_cursor, filter, limit));
  }
  v1::ListEventsResponse response;
  for (const Event& event : page.events) {
    *response.add_events() = EventToProto(log_.name(), event);
  }
  if (!page.at_end) response.set_next_page_token(log_.EncodeToken(page.next_cursor));
  return response;
}

}  // namespace slipway::events
