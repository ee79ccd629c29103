#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::cli {

// What names exist. Lists are of full names.
class NameSource {
 public:
  virtual ~NameSource() = default;
  virtual absl::StatusOr<std::vector<std::string>> Projects() = 0;
  virtual absl::StatusOr<std::vector<std::string>> Plans(const std::string& project) = 0;
  // Newest first, as Plans; the tasks in the order of the plan.
  virtual absl::StatusOr<std::vector<std::string>> Tasks(const std::string& plan) = 0;
  // Oldest first.
  virtual absl::StatusOr<std::vector<std::string>> Attempts(const std::string& task) = 0;
  virtual absl::StatusOr<std::vector<std::string>> OpenCheckpoints() = 0;
};

// Makes full names of what people type. Full names are taken as they are; shorter ones are looked
// up: "PROJECT/PLAN/TASK", "PLAN/TASK", "TASK". A plan may be written as its id, the beginning of
// its id with or without its date, or "latest". Looking up fails with NAME_AMBIGUOUS,
// PROJECT_MISSING, PROJECT_UNKNOWN, PLAN_UNKNOWN, TASK_UNKNOWN, ATTEMPT_MISSING or
// CHECKPOINT_UNKNOWN. Not thread-safe.
class NameResolver final {
 public:
  // `project` is what the person gave as the project; empty means the only one there is.
  NameResolver(NameSource& source, std::string project);

  absl::StatusOr<std::string> Project();
  absl::StatusOr<std::string> Plan(absl::string_view text);
  // A single id is looked up in the newest plan that has it.
  absl::StatusOr<std::string> Task(absl::string_view text);
  // "TASK@2" is an attempt; a task means its newest attempt.
  absl::StatusOr<std::string> Attempt(absl::string_view text);
  absl::StatusOr<std::string> Checkpoint(absl::string_view text);

  // The kinds that fit, plans before tasks; "TASK@2" is an attempt.
  absl::StatusOr<std::string> PlanOrTask(absl::string_view text);

  // "everything", a project, a plan or a task.
  absl::StatusOr<std::string> Scope(absl::string_view text);

 private:
  absl::StatusOr<std::string> PlanIn(const std::string& project, absl::string_view text);
  absl::StatusOr<std::string> TaskIn(const std::string& plan, absl::string_view id);
  absl::StatusOr<std::string> TaskInNewestPlan(absl::string_view id);

  NameSource& source_;
  const std::string project_;
};

}  // namespace slipway::cli
