#include "services/planner/domain/plan_check.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/path_pattern.h"
#include "services/planner/domain/task_graph.h"

namespace slipway::planner {
namespace {

constexpr absl::string_view kIntents[] = {"code", "test", "docs", "refactor", "config"};

std::string Shown(absl::string_view id) { return absl::StrCat("'", base::ToUtf8(id, 80), "'"); }

absl::Status CheckPatterns(const Task& task) {
  for (const std::vector<std::string>* paths : {&task.allowed_paths, &task.context_paths}) {
    if (paths->size() > kListMax) {
      return TaskInvalid(task.id, absl::StrCat("more than ", kListMax, " path patterns"));
    }
    for (const std::string& path : *paths) {
      const std::string problem = PathPatternProblem(path);
      if (!problem.empty()) return PathOutside(task.id, base::ToUtf8(path, 200), problem);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const Task& task) {
  if (task.title.size() > kTitleBytesMax) {
    return TaskInvalid(task.id, absl::StrCat("its title is longer than ", kTitleBytesMax));
  }
  if (task.description.size() > kDescriptionBytesMax) {
    return TaskInvalid(task.id,
                       absl::StrCat("its description is longer than ", kDescriptionBytesMax));
  }
  if (task.depends_on.size() > kDependenciesMax) {
    return TaskInvalid(task.id, absl::StrCat("more than ", kDependenciesMax, " dependencies"));
  }
  if (task.acceptance.size() > kListMax) {
    return TaskInvalid(task.id, absl::StrCat("more than ", kListMax, " acceptance criteria"));
  }
  for (const std::string& line : task.acceptance) {
    if (line.size() > kLineBytesMax) {
      return TaskInvalid(task.id, "an acceptance criterion is too long");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTask(const Task& task) {
  if (!base::IsValidId(task.id)) {
    return TaskInvalid(Shown(task.id),
                       "an id is 1 to 63 lower-case letters, digits and hyphens, and begins and "
                       "ends with a letter or digit");
  }
  if (task.id == kReservedTask) {
    return TaskInvalid(task.id, "this id is reserved for the integration; choose another");
  }
  if (std::find(std::begin(kIntents), std::end(kIntents), task.intent) == std::end(kIntents)) {
    return TaskInvalid(task.id, absl::StrCat("its intent ", Shown(task.intent),
                                             " is not code, test, docs, refactor or config"));
  }
  if (task.priority < 0 || task.priority > kPriorityMax) {
    return TaskInvalid(task.id,
                       absl::StrCat("its priority ", task.priority, " is not 0 to ", kPriorityMax));
  }
  if (task.limit_usd_nanos < 0) return TaskInvalid(task.id, "its limit of money is negative");
  if (task.attempt_timeout < absl::ZeroDuration() || task.attempt_timeout > absl::Hours(24)) {
    return TaskInvalid(task.id, "its attempt_timeout is not 0 to 24 hours");
  }
  if (task.role.size() > kTitleBytesMax) return TaskInvalid(task.id, "its role is too long");
  RETURN_IF_ERROR(CheckSizes(task));
  return CheckPatterns(task);
}

size_t BytesOf(const std::vector<std::string>& texts) {
  size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size() + 4;
  return bytes;
}

size_t BytesOf(const PlanContent& content) {
  size_t bytes = content.summary.size() + content.test_strategy.size() + BytesOf(content.risks) +
                 BytesOf(content.open_questions);
  for (const Task& task : content.tasks) {
    bytes += 100 + task.title.size() + task.description.size() + BytesOf(task.depends_on) +
             BytesOf(task.allowed_paths) + BytesOf(task.context_paths) + BytesOf(task.acceptance);
  }
  for (const Requirement& requirement : content.requirements) {
    bytes += requirement.text.size() + BytesOf(requirement.tasks);
  }
  return bytes;
}

absl::Status CheckRequirements(const PlanContent& content) {
  if (content.requirements.size() > kRequirementsMax) {
    return PlanTooLarge(absl::StrCat("more than ", kRequirementsMax, " requirements"));
  }
  absl::flat_hash_set<absl::string_view> tasks;
  for (const Task& task : content.tasks) tasks.insert(task.id);
  absl::flat_hash_set<absl::string_view> seen;
  for (const Requirement& requirement : content.requirements) {
    if (requirement.id.empty()) return RequirementInvalid("''", "it has no id");
    if (!seen.insert(requirement.id).second) {
      return RequirementInvalid(Shown(requirement.id), "two requirements have this id");
    }
    for (const std::string& task : requirement.tasks) {
      if (!tasks.contains(task)) {
        return RequirementInvalid(Shown(requirement.id),
                                  absl::StrCat(Shown(task), " is not a task of the plan"));
      }
    }
  }
  return absl::OkStatus();
}

int64_t SaturatingAdd(int64_t a, int64_t b) {
  return a > std::numeric_limits<int64_t>::max() - b ? std::numeric_limits<int64_t>::max() : a + b;
}

void ApplyGraph(const TaskGraph& graph, PlanContent& content) {
  content.waves.clear();
  for (const std::vector<size_t>& wave : graph.waves) {
    std::vector<std::string>& ids = content.waves.emplace_back();
    for (const size_t task : wave) ids.push_back(content.tasks[task].id);
    std::sort(ids.begin(), ids.end());
  }
  content.critical_path.clear();
  for (const size_t task : graph.critical_path) {
    content.critical_path.push_back(content.tasks[task].id);
  }
  content.estimate_duration = graph.duration;
  content.estimate_usd_nanos = 0;
  std::vector<Task> ordered;
  ordered.reserve(content.tasks.size());
  for (const size_t task : graph.order) {
    content.estimate_usd_nanos =
        SaturatingAdd(content.estimate_usd_nanos, content.tasks[task].estimate_usd_nanos);
    ordered.push_back(std::move(content.tasks[task]));
  }
  content.tasks = std::move(ordered);
}

void Trim(std::string& text) { text = std::string(absl::StripAsciiWhitespace(text)); }

}  // namespace

void NormalizePlan(PlanContent& content) {
  for (Task& task : content.tasks) {
    Trim(task.id);
    Trim(task.title);
    if (task.title.empty()) task.title = task.id;
    if (task.intent.empty()) task.intent = "code";
    for (std::vector<std::string>* paths : {&task.allowed_paths, &task.context_paths}) {
      for (std::string& path : *paths) {
        if (absl::EndsWith(path, "/")) absl::StrAppend(&path, "**");
      }
    }
    std::vector<std::string> once;
    for (std::string& dependency : task.depends_on) {
      Trim(dependency);
      if (once.size() <= kDependenciesMax &&
          std::find(once.begin(), once.end(), dependency) == once.end()) {
        once.push_back(std::move(dependency));
      }
    }
    task.depends_on = std::move(once);
  }
}

absl::Status CheckPlan(PlanContent& content) {
  if (content.tasks.empty()) return PlanEmpty();
  if (content.tasks.size() > static_cast<size_t>(kTasksMax)) {
    return PlanTooLarge(absl::StrCat(content.tasks.size(), " tasks, at most ", kTasksMax));
  }
  for (const Task& task : content.tasks) RETURN_IF_ERROR(CheckTask(task));
  const size_t bytes = BytesOf(content);
  if (bytes > kPlanBytesMax) {
    return PlanTooLarge(absl::StrCat(bytes, " bytes of text, at most ", kPlanBytesMax));
  }
  if (content.risks.size() > kListMax || content.open_questions.size() > kListMax) {
    return PlanTooLarge(absl::StrCat("more than ", kListMax, " risks or open questions"));
  }
  ASSIGN_OR_RETURN(const TaskGraph graph, MakeTaskGraph(content.tasks));
  RETURN_IF_ERROR(CheckRequirements(content));
  ApplyGraph(graph, content);
  return absl::OkStatus();
}

std::vector<std::string> UncoveredRequirements(const PlanContent& content) {
  std::vector<std::string> uncovered;
  for (const Requirement& requirement : content.requirements) {
    if (requirement.tasks.empty()) uncovered.push_back(requirement.id);
  }
  return uncovered;
}

absl::Status CheckSpec(absl::string_view spec) {
  if (spec.size() > kSpecBytesMax) return SpecTooLarge(spec.size());
  if (absl::StripAsciiWhitespace(spec).empty()) return SpecEmpty();
  for (size_t at = 0; at < spec.size();) {
    const size_t length = base::Utf8SequenceLength(spec.substr(at));
    if (length == 0 || spec[at] == '\0') return SpecNotText(at);
    at += length;
  }
  return absl::OkStatus();
}

std::string TitleOf(absl::string_view spec) {
  for (absl::string_view line : absl::StrSplit(spec, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    while (absl::ConsumePrefix(&line, "#")) {
    }
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty()) return base::ToUtf8(line, kTitleBytesMax);
  }
  return "plan";
}

}  // namespace slipway::planner
