#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/planner/domain/plan_state.h"

namespace slipway::planner {

// Who acts where no person did.
inline constexpr char kPlannerActor[] = "planner";

// Something that happened, before it has a place in the log. `facts_json` holds the fields of the
// payload message of slipway/events/v1/event.proto that belongs to `kind`.
struct Event {
  std::string kind;
  std::string project;  // projects/{p}
  std::string plan;     // projects/{p}/plans/{n}, or empty.
  std::string facts_json;
};

// `change` is "created", "updated" or "archived".
Event ProjectChanged(const std::string& project, absl::string_view change,
                     const std::vector<std::string>& fields, absl::string_view actor);

struct StateChange {
  std::string from;  // Name of the state; empty for a new plan.
  PlanState to;
  std::string title;
  std::string reason;
  std::string actor;
};
Event PlanStateChanged(const std::string& project, const std::string& plan,
                       const StateChange& change);

// Of `changes` only the first kEventChangesMax are told.
Event PlanRevised(const std::string& project, const std::string& plan, int version, int tasks,
                  const std::vector<std::string>& changes, absl::string_view actor);

struct AmendmentChange {
  std::string from;  // Name of the state; empty for a new amendment.
  std::string to;    // Or "APPLIED", "REJECTED", "OVERTAKEN".
  int version = 0;
  int base_version = 0;
  std::vector<std::string> added;
  std::vector<std::string> changed;
  std::vector<std::string> removed;
  int64_t estimate_change_usd_nanos = 0;
  std::string detail;
  std::string actor;
};
// Of each list of tasks only the first kEventChangesMax are told.
Event PlanAmendmentChanged(const std::string& project, const std::string& plan,
                           const AmendmentChange& change);

Event PlanReplyRejected(const std::string& project, const std::string& plan, int round,
                        absl::string_view reason, absl::string_view detail);

}  // namespace slipway::planner
