#include "services/planner/domain/plan_edit.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lib/base/utf8.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/role_selection.h"

namespace slipway::planner {
namespace {

template <typename T>
void Assign(const std::optional<T>& value, T& field) {
  if (value.has_value()) field = *value;
}

void ApplyEdit(const TaskEdit& edit, Task& task) {
  Assign(edit.priority, task.priority);
  Assign(edit.role, task.role);
  // An emptied role means the one that the planner would choose.
  if (task.role.empty()) task.role = RoleFor(task.intent, task.complexity);
  Assign(edit.title, task.title);
  Assign(edit.description, task.description);
  Assign(edit.limit_usd_nanos, task.limit_usd_nanos);
  Assign(edit.allowed_paths, task.allowed_paths);
  Assign(edit.depends_on, task.depends_on);
  Assign(edit.acceptance, task.acceptance);
}

void RemoveTask(const std::string& id, PlanContent& content) {
  content.tasks.erase(std::find_if(content.tasks.begin(), content.tasks.end(),
                                   [&](const Task& task) { return task.id == id; }));
  for (Requirement& requirement : content.requirements) {
    requirement.tasks.erase(std::remove(requirement.tasks.begin(), requirement.tasks.end(), id),
                            requirement.tasks.end());
  }
}

// Collects lines about one thing.
class ChangeLines final {
 public:
  ChangeLines(std::string subject, std::vector<std::string>& lines)
      : subject_(std::move(subject)), lines_(lines) {}

  void Value(absl::string_view field, absl::string_view from, absl::string_view to) {
    if (from == to) return;
    lines_.push_back(absl::StrCat(subject_, field, " ", Shown(from), " -> ", Shown(to)));
  }

  void Number(absl::string_view field, int64_t from, int64_t to) {
    Value(field, absl::StrCat(from), absl::StrCat(to));
  }

  // Long texts: that they changed, and by how much.
  void Text(absl::string_view field, absl::string_view from, absl::string_view to) {
    if (from == to) return;
    if (from.size() + to.size() <= 80) return Value(field, from, to);
    lines_.push_back(
        absl::StrCat(subject_, field, " rewritten (", from.size(), " -> ", to.size(), " bytes)"));
  }

  void List(absl::string_view field, const std::vector<std::string>& from,
            const std::vector<std::string>& to) {
    if (from == to) return;
    std::vector<std::string> parts;
    for (const std::string& value : to) {
      if (std::find(from.begin(), from.end(), value) == from.end()) {
        parts.push_back(absl::StrCat("+", Shown(value)));
      }
    }
    for (const std::string& value : from) {
      if (std::find(to.begin(), to.end(), value) == to.end()) {
        parts.push_back(absl::StrCat("-", Shown(value)));
      }
    }
    if (parts.empty()) parts.push_back("reordered");
    lines_.push_back(absl::StrCat(subject_, field, " ", absl::StrJoin(parts, " ")));
  }

 private:
  static std::string Shown(absl::string_view text) {
    if (text.empty()) return "(none)";
    std::string shown = base::ToUtf8(text, 120);
    std::replace(shown.begin(), shown.end(), '\n', ' ');
    return shown;
  }

  const std::string subject_;
  std::vector<std::string>& lines_;
};

std::string Dollars(int64_t nanos) {
  if (nanos == 0) return "policy";
  return absl::StrFormat("$%.4f", static_cast<double>(nanos) / 1e9);
}

absl::string_view NameOf(Complexity complexity) {
  static constexpr absl::string_view kNames[] = {"low", "medium", "high"};
  return kNames[static_cast<int>(complexity) - 1];
}

void DescribeTask(const Task& from, const Task& to, std::vector<std::string>& lines) {
  ChangeLines task(absl::StrCat("task ", to.id, ": "), lines);
  task.Text("title", from.title, to.title);
  task.Text("description", from.description, to.description);
  task.List("depends_on", from.depends_on, to.depends_on);
  task.Value("intent", from.intent, to.intent);
  task.Value("complexity", NameOf(from.complexity), NameOf(to.complexity));
  task.Value("role", from.role, to.role);
  task.List("allowed_paths", from.allowed_paths, to.allowed_paths);
  task.List("context_paths", from.context_paths, to.context_paths);
  task.List("acceptance", from.acceptance, to.acceptance);
  task.Number("priority", from.priority, to.priority);
  task.Value("critical", from.critical ? "yes" : "no", to.critical ? "yes" : "no");
  task.Value("limit", Dollars(from.limit_usd_nanos), Dollars(to.limit_usd_nanos));
  task.Value("attempt_timeout", absl::FormatDuration(from.attempt_timeout),
             absl::FormatDuration(to.attempt_timeout));
  task.Value("phase", from.phase, to.phase);
}

}  // namespace

absl::StatusOr<PlanContent> EditTasks(const PlanContent& content, absl::Span<const TaskEdit> edits,
                                      absl::Span<const Task> added) {
  if (edits.empty() && added.empty()) return EditEmpty();
  if (edits.size() + added.size() > static_cast<size_t>(kEditsMax)) {
    return PlanTooLarge(absl::StrCat("more than ", kEditsMax, " edits at once"));
  }
  PlanContent edited = content;
  for (const TaskEdit& edit : edits) {
    const auto task = std::find_if(edited.tasks.begin(), edited.tasks.end(),
                                   [&](const Task& known) { return known.id == edit.task; });
    if (task == edited.tasks.end()) return TaskUnknown(edit.task);
    if (edit.remove) {
      RemoveTask(edit.task, edited);
    } else {
      ApplyEdit(edit, *task);
    }
  }
  for (const Task& task : added) {
    edited.tasks.push_back(task);
    Task& stored = edited.tasks.back();
    if (stored.role.empty()) stored.role = RoleFor(stored.intent, stored.complexity);
  }
  return edited;
}

std::vector<std::string> DescribeChanges(const PlanContent& from, const PlanContent& to) {
  std::vector<std::string> lines;
  ChangeLines plan("plan: ", lines);
  plan.Text("summary", from.summary, to.summary);
  std::map<absl::string_view, const Task*> before;
  for (const Task& task : from.tasks) before[task.id] = &task;
  std::map<absl::string_view, const Task*> after;
  for (const Task& task : to.tasks) after[task.id] = &task;
  for (const Task& task : from.tasks) {
    if (!after.contains(task.id)) lines.push_back(absl::StrCat("task ", task.id, ": removed"));
  }
  for (const Task& task : to.tasks) {
    const auto earlier = before.find(task.id);
    if (earlier == before.end()) {
      lines.push_back(absl::StrCat("task ", task.id, ": added"));
    } else {
      DescribeTask(*earlier->second, task, lines);
    }
  }
  plan.Text("test_strategy", from.test_strategy, to.test_strategy);
  plan.List("risks", from.risks, to.risks);
  plan.List("open_questions", from.open_questions, to.open_questions);
  return lines;
}

}  // namespace slipway::planner
