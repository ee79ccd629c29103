#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/planner/domain/amendment_state.h"
#include "services/planner/domain/plan_state.h"
#include "services/planner/domain/project.h"

namespace slipway::planner {

enum class Complexity { kLow = 1, kMedium = 2, kHigh = 3 };

// A bounded unit of work; the fields mirror slipway/planner/v1/plan.proto.
struct Task {
  std::string id;
  std::string title;
  std::string description;
  std::vector<std::string> depends_on;
  std::string intent;
  Complexity complexity = Complexity::kMedium;
  std::string role;
  std::vector<std::string> allowed_paths;
  std::vector<std::string> acceptance;
  int priority = 0;
  bool critical = false;
  int64_t limit_usd_nanos = 0;
  absl::Duration attempt_timeout;
  std::vector<std::string> context_paths;
  int64_t estimate_usd_nanos = 0;
  absl::Duration estimate_duration;
  std::string phase;

  friend bool operator==(const Task&, const Task&) = default;
};

// Something that the spec asks for, and the tasks that meet it.
struct Requirement {
  std::string id;
  std::string text;
  std::vector<std::string> tasks;

  friend bool operator==(const Requirement&, const Requirement&) = default;
};

// What a version of a plan says: never changed, only followed by a next version.
struct PlanContent {
  std::string summary;
  std::vector<Task> tasks;
  std::vector<Requirement> requirements;
  std::vector<std::string> open_questions;
  std::vector<std::string> risks;
  std::string test_strategy;
  std::vector<std::vector<std::string>> waves;
  std::vector<std::string> critical_path;
  int64_t estimate_usd_nanos = 0;
  absl::Duration estimate_duration;

  friend bool operator==(const PlanContent&, const PlanContent&) = default;
};

// Everything about a plan except its spec and what its versions say.
struct PlanHead {
  std::string project;  // Id.
  std::string id;
  std::string title;
  PlanState state = PlanState::kDrafting;
  int version = 0;  // 0 while there is none.
  int approved_version = 0;
  Rigor rigor = Rigor::kStandard;
  std::string base_commit;
  std::string branch;
  std::string failure;
  std::string approver;
  // While it runs, `version` may be one that shall replace `approved_version`.
  AmendmentState amendment = AmendmentState::kNone;
  std::string amendment_failure;
  std::string amendment_approver;
  absl::Time create_time;
  absl::Time update_time;

  std::string name() const { return project_name() + "/plans/" + id; }
  std::string project_name() const { return "projects/" + project; }

  // The approved version is the newest again that counts.
  void DropAmendment() {
    version = approved_version;
    amendment = AmendmentState::kNone;
    amendment_failure.clear();
    amendment_approver.clear();
  }
  friend bool operator==(const PlanHead&, const PlanHead&) = default;
};

// A task that differs, as it shall be, and the names of the fields that differ: those of
// slipway.dispatcher.v1.TaskSpec.
struct TaskChange {
  Task task;
  std::vector<std::string> fields;
};

// What the dispatcher has to know of the difference between two versions of a plan. The same
// versions always give the same delta.
struct PlanDelta {
  std::vector<Task> added;  // In the order of the later version.
  std::vector<TaskChange> changed;
  std::vector<std::string> removed;  // Ids, in the order of the earlier version.

  bool empty() const { return added.empty() && changed.empty() && removed.empty(); }
};

// A version that shall replace the one that runs, as it is shown to people.
struct Amendment {
  AmendmentState state = AmendmentState::kNone;
  int version = 0;
  int base_version = 0;
  PlanDelta delta;
  std::vector<std::string> changes;  // As DescribeChanges says it.
  int64_t estimate_change_usd_nanos = 0;
  absl::Duration estimate_change_duration;
  std::string failure;
};

// A plan at one of its versions.
struct Plan {
  PlanHead head;
  std::string spec;
  PlanContent content;
  std::optional<Amendment> amendment;
};

}  // namespace slipway::planner
