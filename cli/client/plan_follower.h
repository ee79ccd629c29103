#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/client/connection.h"
#include "cli/client/plan_view.h"
#include "lib/base/clock.h"

namespace slipway::cli {

// How to follow a plan. All functions are called on the thread that follows.
struct FollowOptions {
  std::string plan;  // projects/{p}/plans/{n}.
  // Each event of the plan, from its first; may be empty.
  std::function<void(const events::v1::Event&)> on_event;
  // The plan at first and after events; may be empty.
  std::function<void(const PlanView&)> on_view;
  // Often enough to keep a clock on a screen; may be empty.
  std::function<void()> on_tick;
  // Ends the following.
  std::function<bool(const PlanView&)> until;
  // How long services may be away; a crash is repaired in well under a second.
  absl::Duration patience = absl::Seconds(60);
};

// Follows a plan until `until` says so and returns how it stood then. Blocks. Fails as GetPlan and
// Watch do, with UNAVAILABLE only when the suite stays away.
absl::StatusOr<PlanView> FollowPlan(Connection& connection, base::Clock& clock,
                                    const FollowOptions& options);

}  // namespace slipway::cli
