#include "cli/client/name_resolver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

// How many plans a task is looked for in: a person means a recent one.
constexpr size_t kPlansSearchedMax = 20;
constexpr size_t kNamesShownMax = 5;

absl::Status Unknown(absl::string_view reason, absl::string_view kind, absl::string_view name) {
  return base::Error(absl::StatusCode::kNotFound, reason,
                     absl::StrCat("there is no ", kind, " '", name, "'"),
                     {{"name", std::string(name)}});
}

absl::Status Ambiguous(absl::string_view text, std::vector<std::string> names) {
  const bool more = names.size() > kNamesShownMax;
  if (more) names.resize(kNamesShownMax);
  return base::Error(
      absl::StatusCode::kInvalidArgument, "NAME_AMBIGUOUS",
      absl::StrCat("'", text, "' may be ", absl::StrJoin(names, " or "), more ? " and others" : ""),
      {{"name", std::string(text)}});
}

std::string LastId(absl::string_view name) { return std::string(name.substr(name.rfind('/') + 1)); }

// "2026-11-21-csv-export" without its date; the id itself when it has none.
absl::string_view WithoutDate(absl::string_view id) {
  constexpr absl::string_view kShape = "dddd-dd-dd-";
  if (id.size() <= kShape.size()) return id;
  for (size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == 'd' ? !absl::ascii_isdigit(id[i]) : id[i] != '-') return id;
  }
  return id.substr(kShape.size());
}

absl::Status CheckFull(absl::string_view pattern, absl::string_view name) {
  return base::MatchName(pattern, name).status();
}

constexpr absl::string_view kPlanPattern = "projects/*/plans/*";
constexpr absl::string_view kTaskPattern = "projects/*/plans/*/tasks/*";
constexpr absl::string_view kAttemptPattern = "projects/*/plans/*/tasks/*/attempts/*";

}  // namespace

NameResolver::NameResolver(NameSource& source, std::string project)
    : source_(source), project_(std::move(project)) {}

absl::StatusOr<std::string> NameResolver::Project() {
  if (!project_.empty()) {
    const std::string name =
        absl::StartsWith(project_, "projects/") ? project_ : absl::StrCat("projects/", project_);
    RETURN_IF_ERROR(CheckFull("projects/*", name));
    return name;
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> projects, source_.Projects());
  if (projects.size() == 1) return projects[0];
  if (projects.empty()) {
    return base::Error(absl::StatusCode::kNotFound, "PROJECT_MISSING", "there is no project yet");
  }
  return base::Error(absl::StatusCode::kInvalidArgument, "PROJECT_MISSING",
                     absl::StrCat("there are ", projects.size(), " projects: say which one"));
}

absl::StatusOr<std::string> NameResolver::Plan(absl::string_view text) {
  if (absl::StartsWith(text, "projects/")) {
    RETURN_IF_ERROR(CheckFull(kPlanPattern, text));
    return std::string(text);
  }
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('/', 1));
  if (!parts.second.empty()) return PlanIn(absl::StrCat("projects/", parts.first), parts.second);
  ASSIGN_OR_RETURN(const std::string project, Project());
  return PlanIn(project, text);
}

absl::StatusOr<std::string> NameResolver::PlanIn(const std::string& project,
                                                 absl::string_view text) {
  ASSIGN_OR_RETURN(const std::vector<std::string> plans, source_.Plans(project));
  if (text == "latest" && !plans.empty()) return plans[0];
  std::vector<std::string> whole, beginning;
  for (const std::string& plan : plans) {
    const std::string id = LastId(plan);
    if (id == text) return plan;
    if (WithoutDate(id) == text) whole.push_back(plan);
    if (absl::StartsWith(id, text) || absl::StartsWith(WithoutDate(id), text)) {
      beginning.push_back(plan);
    }
  }
  const std::vector<std::string>& found = whole.empty() ? beginning : whole;
  if (found.empty() || text.empty()) return Unknown("PLAN_UNKNOWN", "plan", text);
  if (found.size() > 1) return Ambiguous(text, found);
  return found[0];
}

absl::StatusOr<std::string> NameResolver::Task(absl::string_view text) {
  if (absl::StartsWith(text, "projects/")) {
    RETURN_IF_ERROR(CheckFull(kTaskPattern, text));
    return std::string(text);
  }
  const size_t slash = text.rfind('/');
  if (slash == absl::string_view::npos) return TaskInNewestPlan(text);
  ASSIGN_OR_RETURN(const std::string plan, Plan(text.substr(0, slash)));
  return TaskIn(plan, text.substr(slash + 1));
}

absl::StatusOr<std::string> NameResolver::TaskIn(const std::string& plan, absl::string_view id) {
  ASSIGN_OR_RETURN(const std::vector<std::string> tasks, source_.Tasks(plan));
  for (const std::string& task : tasks) {
    if (LastId(task) == id) return task;
  }
  return Unknown("TASK_UNKNOWN", "task", absl::StrCat(plan, "/tasks/", id));
}

absl::StatusOr<std::string> NameResolver::TaskInNewestPlan(absl::string_view id) {
  ASSIGN_OR_RETURN(const std::string project, Project());
  ASSIGN_OR_RETURN(std::vector<std::string> plans, source_.Plans(project));
  plans.resize(std::min(plans.size(), kPlansSearchedMax));
  for (const std::string& plan : plans) {
    absl::StatusOr<std::string> task = TaskIn(plan, id);
    if (task.ok() || task.status().code() != absl::StatusCode::kNotFound) return task;
  }
  return Unknown("TASK_UNKNOWN", "task", id);
}

absl::StatusOr<std::string> NameResolver::Attempt(absl::string_view text) {
  if (CheckFull(kAttemptPattern, text).ok()) return std::string(text);
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('@', 1));
  ASSIGN_OR_RETURN(const std::string task, Task(parts.first));
  if (!parts.second.empty()) {
    const std::string name = absl::StrCat(task, "/attempts/", parts.second);
    RETURN_IF_ERROR(CheckFull(kAttemptPattern, name));
    return name;
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> attempts, source_.Attempts(task));
  if (attempts.empty()) {
    return base::Error(absl::StatusCode::kNotFound, "ATTEMPT_MISSING",
                       absl::StrCat("nobody has worked on ", task, " yet"), {{"task", task}});
  }
  return attempts.back();
}

absl::StatusOr<std::string> NameResolver::Checkpoint(absl::string_view text) {
  if (absl::StartsWith(text, "projects/")) {
    RETURN_IF_ERROR(CheckFull("projects/*/plans/*/tasks/*/checkpoints/*", text));
    return std::string(text);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> open, source_.OpenCheckpoints());
  std::vector<std::string> found;
  for (const std::string& checkpoint : open) {
    const std::vector<absl::string_view> ids = absl::StrSplit(checkpoint, '/');
    // By its own id, or by the task that waits.
    if (ids.back() == text || (ids.size() == 8 && ids[5] == text)) found.push_back(checkpoint);
  }
  if (found.empty()) return Unknown("CHECKPOINT_UNKNOWN", "open question", text);
  if (found.size() > 1) return Ambiguous(text, found);
  return found[0];
}

absl::StatusOr<std::string> NameResolver::PlanOrTask(absl::string_view text) {
  if (CheckFull(kPlanPattern, text).ok() || CheckFull(kTaskPattern, text).ok() ||
      CheckFull(kAttemptPattern, text).ok()) {
    return std::string(text);
  }
  if (absl::StrContains(text, '@')) return Attempt(text);
  absl::StatusOr<std::string> plan = Plan(text);
  if (plan.ok() || plan.status().code() != absl::StatusCode::kNotFound) return plan;
  absl::StatusOr<std::string> task = Task(text);
  if (task.ok() || base::ReasonOf(task.status()) != "TASK_UNKNOWN") return task;
  return Unknown("PLAN_UNKNOWN", "plan or task", text);
}

absl::StatusOr<std::string> NameResolver::Scope(absl::string_view text) {
  if (text == "everything") return std::string(text);
  if (absl::StartsWith(text, "projects/")) return std::string(text);
  if (!absl::StrContains(text, '/')) {
    ASSIGN_OR_RETURN(const std::vector<std::string> projects, source_.Projects());
    const std::string name = absl::StrCat("projects/", text);
    if (std::find(projects.begin(), projects.end(), name) != projects.end()) return name;
  }
  return PlanOrTask(text);
}

}  // namespace slipway::cli
