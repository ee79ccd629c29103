#include "services/dispatcher/domain/keys.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"

namespace slipway::dispatcher {
namespace {

absl::StatusOr<int64_t> ParseNumber(absl::string_view digits, absl::string_view name) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(digits, &number) || number <= 0 || absl::StrCat(number) != digits) {
    return base::Error(
        absl::StatusCode::kInvalidArgument, "NAME_INVALID",
        absl::StrCat("'", name, "' ends in '", digits, "', which is not a positive number"),
        {{"name", std::string(name)}});
  }
  return number;
}

std::string PlanName(const std::vector<std::string>& ids) {
  return absl::StrCat("projects/", ids[0], "/plans/", ids[1]);
}

}  // namespace

std::string TaskKey::Name() const { return absl::StrCat(plan.str(), "/tasks/", id.str()); }
std::string AttemptKey::Name() const { return absl::StrCat(task.Name(), "/attempts/", epoch); }
std::string CheckpointKey::Name() const {
  return absl::StrCat(task.Name(), "/checkpoints/c", number);
}

absl::Status CheckPlanName(absl::string_view name) {
  return base::MatchName("projects/*/plans/*", name).status();
}

absl::Status CheckProjectName(absl::string_view name) {
  return base::MatchName("projects/*", name).status();
}

absl::StatusOr<TaskKey> ParseTaskKey(absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   base::MatchName("projects/*/plans/*/tasks/*", name));
  return TaskKey{.plan = PlanName(ids), .id = ids[2]};
}

absl::StatusOr<AttemptKey> ParseAttemptKey(absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   base::MatchName("projects/*/plans/*/tasks/*/attempts/*", name));
  ASSIGN_OR_RETURN(const int64_t epoch, ParseNumber(ids[3], name));
  return AttemptKey{.task = {.plan = PlanName(ids), .id = ids[2]}, .epoch = epoch};
}

absl::StatusOr<CheckpointKey> ParseCheckpointKey(absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   base::MatchName("projects/*/plans/*/tasks/*/checkpoints/*", name));
  absl::string_view digits = ids[3];
  if (!absl::ConsumePrefix(&digits, "c")) digits = "";
  ASSIGN_OR_RETURN(const int64_t number, ParseNumber(digits, name));
  return CheckpointKey{.task = {.plan = PlanName(ids), .id = ids[2]}, .number = number};
}

std::string ProjectOf(absl::string_view name) {
  const size_t id = name.find('/');
  if (id == absl::string_view::npos) return std::string(name);
  return std::string(name.substr(0, name.find('/', id + 1)));
}

}  // namespace slipway::dispatcher
