#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
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
  absl::Time create_time;
  absl::Time update_time;

  std::string name() const { return "projects/" + project + "/plans/" + id; }
  friend bool operator==(const PlanHead&, const PlanHead&) = default;
};

// A plan at one of its versions.
struct Plan {
  PlanHead head;
  std::string spec;
  PlanContent content;
};

}  // namespace slipway::planner
