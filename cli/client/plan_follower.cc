#include "cli/client/plan_follower.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/client/event_stream.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(200);
// Looks at the state at least this often, should an event not come, and at most that often.
constexpr absl::Duration kRefreshLatest = absl::Seconds(2);
constexpr absl::Duration kRefreshEarliest = absl::Milliseconds(60);
constexpr absl::Duration kGather = absl::Milliseconds(5);
constexpr size_t kEventsSortedMax = 5'000;

bool IsAway(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kDeadlineExceeded;
}

EventStream::Options StreamOptions(const std::string& plan) {
  EventStream::Options options;
  options.filter.set_plan(plan);
  return options;
}

class Follower final {
 public:
  Follower(Connection& connection, base::Clock& clock, const FollowOptions& options)
      : connection_(connection),
        clock_(clock),
        options_(options),
        stream_(connection, StreamOptions(options.plan)) {}

  absl::StatusOr<PlanView> Run() {
    last_answer_ = clock_.Elapsed();
    while (true) {
      const absl::Duration now = clock_.Elapsed();
      if (now - last_refresh_ >= (dirty_ ? kRefreshEarliest : kRefreshLatest)) {
        RETURN_IF_ERROR(Refresh());
        if (view_.has_value() && options_.until(*view_)) {
          RETURN_IF_ERROR(Drain());
          return *std::move(view_);
        }
      }
      RETURN_IF_ERROR(TakeEvents(dirty_ ? kRefreshEarliest : kTick).status());
      if (options_.on_tick) options_.on_tick();
    }
  }

 private:
  absl::Status Refresh() {
    dirty_ = false;
    absl::StatusOr<PlanView> view = FetchPlanView(connection_, options_.plan);
    last_refresh_ = clock_.Elapsed();
    if (!view.ok()) {
      const bool patient = last_refresh_ - last_answer_ < options_.patience;
      return IsAway(view.status()) && patient ? absl::OkStatus() : view.status();
    }
    last_answer_ = last_refresh_;
    view_ = *std::move(view);
    if (options_.on_view) options_.on_view(*view_);
    return absl::OkStatus();
  }

  // The events that are there now, in the order of time: each service has a log of its own, and
  // what came first in one may arrive after what came later in another.
  absl::StatusOr<size_t> TakeEvents(absl::Duration timeout) {
    ASSIGN_OR_RETURN(std::vector<events::v1::Event> events, stream_.Next(timeout));
    size_t taken = events.size();
    while (taken > 0 && events.size() < kEventsSortedMax) {
      ASSIGN_OR_RETURN(const std::vector<events::v1::Event> more, stream_.Next(kGather));
      taken = more.size();
      events.insert(events.end(), more.begin(), more.end());
    }
    std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) {
      return std::make_pair(a.append_time().seconds(), a.append_time().nanos()) <
             std::make_pair(b.append_time().seconds(), b.append_time().nanos());
    });
    for (const events::v1::Event& event : events) {
      if (options_.on_event) options_.on_event(event);
    }
    if (!events.empty()) dirty_ = true;
    return events.size();
  }

  // The events that led to the end were written with it: shows them before returning.
  absl::Status Drain() {
    if (!options_.on_event) return absl::OkStatus();
    size_t taken = 1;
    while (taken > 0) {
      ASSIGN_OR_RETURN(taken, TakeEvents(kTick));
    }
    return absl::OkStatus();
  }

  Connection& connection_;
  base::Clock& clock_;
  const FollowOptions& options_;
  EventStream stream_;
  std::optional<PlanView> view_;
  absl::Duration last_refresh_ = -absl::InfiniteDuration();
  absl::Duration last_answer_;
  bool dirty_ = true;
};

}  // namespace

absl::StatusOr<PlanView> FollowPlan(Connection& connection, base::Clock& clock,
                                    const FollowOptions& options) {
  return Follower(connection, clock, options).Run();
}

}  // namespace slipway::cli
