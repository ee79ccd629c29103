#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/client/connection.h"

namespace slipway::cli {

// How a plan stands for somebody who waits for it.
enum class Standing {
  kDrafting,
  kProposed,  // Waits for approval.
  kApproved,
  kWorking,
  kWaitsForPerson,  // Nothing moves until somebody decides, resumes or raises a limit.
  kSucceeded,
  kFailed,
  kRejected,
  kCancelled,
};

// A plan with all that is known about carrying it out, at one moment.
struct PlanView {
  planner::v1::Plan plan;
  std::optional<dispatcher::v1::Run> run;   // Absent until it was started.
  std::vector<dispatcher::v1::Task> tasks;  // In the order of the plan; empty until then.
  std::vector<dispatcher::v1::Checkpoint> checkpoints;  // Open ones.
  std::map<std::string, int64_t> cost_usd_nanos;        // By task; "" is what no task caused.

  int64_t TotalCost() const;
};

absl::StatusOr<PlanView> FetchPlanView(Connection& connection, const std::string& plan);

Standing StandingOf(const PlanView& view);

// Whether nothing more will happen.
bool HasEnded(Standing standing);

// "STATE_RETRY_WAIT" and "RETRY_WAIT" as "retry wait".
std::string StateText(absl::string_view enum_name);

}  // namespace slipway::cli
