#include "services/gateway/rpc/merged_event_handlers.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/events/errors.h"
#include "lib/events/limits.h"
#include "lib/rpc/client_call.h"
#include "services/gateway/domain/errors.h"
#include "services/gateway/rpc/merged_token.h"

namespace slipway::gateway {
namespace {

using events::v1::Event;
using events::v1::ListEventsRequest;
using events::v1::ListEventsResponse;
using Place = MergedPosition::Place;

constexpr absl::Duration kListTimeout = absl::Seconds(10);
// A filter that keeps little makes logs return empty pages; so many in a row are read for one page.
constexpr int kEmptyPagesMax = 20;

// What was read of one log for one page.
struct Stretch {
  ListEventsResponse page;
  int taken = 0;

  bool exhausted() const { return taken == page.events_size(); }
  bool at_end() const { return page.next_page_token().empty(); }
};

class PageReader final {
 public:
  PageReader(MergedLogs& logs, const rpc::Call& call, const ListEventsRequest& request, int limit)
      : logs_(logs), call_(call), request_(request), limit_(limit) {}

  // Adds events after `position` to `events` and moves it behind them.
  absl::Status Read(const std::set<std::string>& selected, MergedPosition& position,
                    ListEventsResponse& response) {
    std::map<std::string, Stretch> stretches;
    for (const std::string& log : selected) {
      if (position.places[log].kind == Place::Kind::kEnd) continue;
      ASSIGN_OR_RETURN(stretches[log].page, ReadLog(log, position.places[log], limit_));
    }
    Merge(stretches, response);
    for (auto& [log, stretch] : stretches) RETURN_IF_ERROR(Move(log, stretch, position));
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<ListEventsResponse> ReadLog(const std::string& log, const Place& place,
                                             int page_size) {
    ListEventsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(place.token);
    *request.mutable_filter() = request_.filter();
    request.mutable_filter()->clear_logs();
    absl::StatusOr<ListEventsResponse> page =
        rpc::CallUnary(logs_.stub(log), &events::v1::EventLogService::StubInterface::ListEvents,
                       request, rpc::ForwardedOptions(call_, kListTimeout));
    if (page.ok()) return page;
    if (absl::IsUnavailable(page.status()) && base::ReasonOf(page.status()).empty()) {
      return BackendUnavailable(log);
    }
    return OfLog(page.status(), log);
  }

  // Takes the oldest event again and again. Stops where a log that has more must be read on first.
  void Merge(std::map<std::string, Stretch>& stretches, ListEventsResponse& response) const {
    while (response.events_size() < limit_) {
      Stretch* oldest = nullptr;
      for (auto& [log, stretch] : stretches) {
        if (stretch.exhausted() && !stretch.at_end()) return;
        if (stretch.exhausted()) continue;
        if (oldest == nullptr || TimeOf(stretch) < TimeOf(*oldest)) oldest = &stretch;
      }
      if (oldest == nullptr) return;
      response.add_events()->Swap(oldest->page.mutable_events(oldest->taken++));
    }
  }

  static std::tuple<int64_t, int32_t> TimeOf(const Stretch& stretch) {
    const auto& time = stretch.page.events(stretch.taken).append_time();
    return {time.seconds(), time.nanos()};
  }

  // Tokens are opaque: the one in the middle of a page is that of a shorter page.
  absl::Status Move(const std::string& log, const Stretch& stretch, MergedPosition& position) {
    Place& place = position.places[log];
    if (stretch.exhausted()) {
      place = stretch.at_end()
                  ? Place{.kind = Place::Kind::kEnd, .token = ""}
                  : Place{.kind = Place::Kind::kToken, .token = stretch.page.next_page_token()};
      return absl::OkStatus();
    }
    if (stretch.taken == 0) return absl::OkStatus();
    ASSIGN_OR_RETURN(const ListEventsResponse part, ReadLog(log, place, stretch.taken));
    place = {.kind = Place::Kind::kToken, .token = part.next_page_token()};
    return absl::OkStatus();
  }

  MergedLogs& logs_;
  const rpc::Call& call_;
  const ListEventsRequest& request_;
  const int limit_;
};

bool AllAtEnd(const std::set<std::string>& selected, const MergedPosition& position) {
  return std::all_of(selected.begin(), selected.end(), [&](const std::string& log) {
    const auto place = position.places.find(log);
    return place != position.places.end() && place->second.kind == Place::Kind::kEnd;
  });
}

}  // namespace

absl::StatusOr<ListEventsResponse> MergedEventHandlers::ListEvents(
    const rpc::Call& call, const ListEventsRequest& request) {
  if (request.page_size() < 0) return events::PageSizeInvalid(request.page_size());
  const int limit = request.page_size() == 0
                        ? events::kPageSizeDefault
                        : std::min(request.page_size(), events::kBatchEventsMax);
  ASSIGN_OR_RETURN(const std::set<std::string> selected, logs_->Selected(request.filter()));
  ASSIGN_OR_RETURN(MergedPosition position, DecodePosition(request.page_token(), logs_->names()));
  PageReader reader(*logs_, call, request, limit);
  ListEventsResponse response;
  for (int pages = 0; pages < kEmptyPagesMax && response.events().empty() && !call.IsCancelled() &&
                      !AllAtEnd(selected, position);
       ++pages) {
    RETURN_IF_ERROR(reader.Read(selected, position, response));
  }
  if (!AllAtEnd(selected, position)) response.set_next_page_token(EncodePosition(position));
  return response;
}

}  // namespace slipway::gateway
