#include "services/dispatcher/domain/amend_flow.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/plan_graph.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;

// Whether an agent has it, its change is under review, or it has ended.
bool HasBegun(Board& board, const Task& task) {
  if (board.LiveAttempt(task) != nullptr) return true;
  switch (task.state) {
    case kBlocked:
    case kReady:
    case kRetryWait:
    case kNeedsHuman:
      return false;
    case kPaused:
      return task.progress.paused_in != kReady;
    default:
      return true;
  }
}

bool WasRemoved(const Task& task) {
  return task.state == kSkipped && task.reason == kRemovedReason;
}

// True when nothing that waits for it can ever begin.
bool IsDeadEnd(const Task& task) {
  return task.state == kFailed || task.state == kCancelled ||
         (task.state == kSkipped && task.reason == kDependencyReason);
}

bool Names(const TaskChange& change, absl::string_view field) {
  return std::find(change.fields.begin(), change.fields.end(), field) != change.fields.end();
}

absl::Status TakeField(const std::string& field, const TaskSpec& from, TaskSpec& to) {
  if (field == "title") return to.title = from.title, absl::OkStatus();
  if (field == "description") return to.description = from.description, absl::OkStatus();
  if (field == "depends_on") return to.depends_on = from.depends_on, absl::OkStatus();
  if (field == "intent") return to.intent = from.intent, absl::OkStatus();
  if (field == "role") return to.role = from.role, absl::OkStatus();
  if (field == "allowed_paths") return to.allowed_paths = from.allowed_paths, absl::OkStatus();
  if (field == "context_paths") return to.context_paths = from.context_paths, absl::OkStatus();
  if (field == "acceptance") return to.acceptance = from.acceptance, absl::OkStatus();
  if (field == "priority") return to.priority = from.priority, absl::OkStatus();
  if (field == "critical") return to.critical = from.critical, absl::OkStatus();
  if (field == "limit_usd_nanos") {
    return to.limit_usd_nanos = from.limit_usd_nanos, absl::OkStatus();
  }
  if (field == "attempt_timeout") {
    return to.attempt_timeout = from.attempt_timeout, absl::OkStatus();
  }
  if (field == "estimate_duration") return to.estimate = from.estimate, absl::OkStatus();
  return TaskInvalid(to.id, absl::StrCat("'", field, "' is not a field that can change"));
}

std::vector<std::string> IdsOf(const std::vector<TaskSpec>& specs) {
  std::vector<std::string> ids;
  ids.reserve(specs.size());
  for (const TaskSpec& spec : specs) ids.push_back(spec.id);
  return ids;
}

std::vector<std::string> IdsOf(const std::vector<TaskChange>& changes) {
  std::vector<std::string> ids;
  ids.reserve(changes.size());
  for (const TaskChange& change : changes) ids.push_back(change.spec.id);
  return ids;
}

}  // namespace

absl::StatusOr<Run> AmendFlow::Amend(const PlanAmendment& amendment, bool validate_only) {
  Run* const run = board_.FindRun(amendment.plan);
  if (run == nullptr) return RunUnknown(amendment.plan);
  // First of all, so that a repeat is answered whatever has become of the run since.
  if (amendment.version == run->version) {
    if (amendment.digest == run->digest) return *run;
    return PlanSubmitted(amendment.plan);
  }
  if (amendment.version < run->version || amendment.base_version != run->version) {
    return VersionMismatch(amendment.plan, amendment.base_version, run->version);
  }
  ASSIGN_OR_RETURN(const Specs specs, Check(*run, amendment));
  if (validate_only) return *run;

  run->version = amendment.version;
  run->digest = amendment.digest;
  board_.Touch(*run);
  board_.EmitAmended(*run, {.base_version = amendment.base_version,
                            .added = IdsOf(amendment.added),
                            .changed = IdsOf(amendment.changed),
                            .removed = amendment.removed,
                            .actor = amendment.actor});
  // The whole new graph first: what is ready is judged by it.
  std::vector<Task*> tasks = board_.TasksOf(run->plan);
  int position = tasks.empty() ? 0 : tasks.back()->position + 1;
  for (Task* const task : tasks) {
    const auto spec = specs.find(task->key.id);
    if (spec != specs.end() && spec->second != task->spec) board_.SetSpec(*task, spec->second);
  }
  for (const TaskSpec& added : amendment.added) Add(*run, added, position++);
  for (const TaskChange& change : amendment.changed) {
    Task& task = *board_.FindTask({.plan = run->plan, .id = change.spec.id});
    Change(task, change, specs.at(change.spec.id), amendment.actor);
  }
  const std::string why = absl::StrCat("taken out of the plan by version ", amendment.version);
  for (const std::string& id : amendment.removed) {
    Remove(*board_.FindTask({.plan = run->plan, .id = id}), why, amendment.actor);
  }
  tasks_.CheckRunEnd(*run);
  return *run;
}

absl::StatusOr<AmendFlow::Specs> AmendFlow::Check(const Run& run, const PlanAmendment& amendment) {
  if (run.state != RunState::kRunning) return RunStateWrong(run.plan, run.state, "amend it");
  if (amendment.added.empty() && amendment.changed.empty() && amendment.removed.empty()) {
    return AmendmentEmpty(run.plan);
  }
  RETURN_IF_ERROR(CheckNotBegun(amendment));
  Specs specs;
  std::vector<std::string> order;
  for (const Task* const task : board_.TasksOf(run.plan)) {
    if (WasRemoved(*task)) continue;
    specs.emplace(task->key.id, task->spec);
    order.push_back(task->key.id);
  }
  for (const TaskChange& change : amendment.changed) {
    TaskSpec& spec = specs.at(change.spec.id);
    for (const std::string& field : change.fields) {
      RETURN_IF_ERROR(TakeField(field, change.spec, spec));
    }
  }
  for (const std::string& id : amendment.removed) specs.erase(id);
  for (const TaskSpec& added : amendment.added) {
    // Also that of a removed task: what was done under an id stays to be seen under it.
    if (board_.FindTask({.plan = run.plan, .id = added.id}) != nullptr ||
        !specs.emplace(added.id, added).second) {
      return TaskDuplicate(added.id);
    }
    order.push_back(added.id);
  }
  PlanSpec graph{.plan = run.plan};
  for (const std::string& id : order) {
    if (const auto spec = specs.find(id); spec != specs.end()) graph.tasks.push_back(spec->second);
  }
  RETURN_IF_ERROR(CheckPlan(graph));
  if (board_.TasksOf(run.plan).size() + amendment.added.size() > kTasksMax) {
    return TaskInvalid(amendment.added.back().id,
                       absl::StrCat("a run has at most ", kTasksMax, " tasks with removed ones"));
  }
  for (const TaskSpec& added : amendment.added) {
    RETURN_IF_ERROR(CheckDependencies(run.plan, added));
  }
  for (const TaskChange& change : amendment.changed) {
    RETURN_IF_ERROR(CheckDependencies(run.plan, specs.at(change.spec.id)));
  }
  return specs;
}

absl::Status AmendFlow::CheckNotBegun(const PlanAmendment& amendment) {
  std::vector<std::string> ids = IdsOf(amendment.changed);
  ids.insert(ids.end(), amendment.removed.begin(), amendment.removed.end());
  std::set<std::string> seen;
  std::vector<BegunTask> begun;
  for (const std::string& id : ids) {
    if (!seen.insert(id).second) return TaskDuplicate(id);
    const TaskKey key{.plan = amendment.plan, .id = id};
    const Task* const task = board_.FindTask(key);
    if (task == nullptr) return TaskUnknown(key.Name());
    if (HasBegun(board_, *task)) begun.push_back({.id = id, .state = task->state});
  }
  return begun.empty() ? absl::OkStatus() : TasksBegun(begun);
}

absl::Status AmendFlow::CheckDependencies(const std::string& plan, const TaskSpec& spec) {
  for (const std::string& id : spec.depends_on) {
    const Task* const dependency = board_.FindTask({.plan = plan, .id = id});
    if (dependency == nullptr || !IsDeadEnd(*dependency)) continue;
    return TaskInvalid(spec.id, absl::StrCat("it depends on '", id, "', which is ",
                                             Name(dependency->state), " and will not be merged"));
  }
  return absl::OkStatus();
}

void AmendFlow::Add(const Run& run, const TaskSpec& spec, int position) {
  Task added{.key = {.plan = run.plan, .id = spec.id}, .position = position, .spec = spec};
  if (tasks_.DependenciesSatisfied(added)) {
    added.state = kReady;
    added.ready_time = clock_.Now();
  }
  board_.AddTask(std::move(added));
}

void AmendFlow::Change(Task& task, const TaskChange& change, const TaskSpec& spec,
                       const std::string& actor) {
  board_.SetSpec(task, spec);
  const bool only_order = change.fields == std::vector<std::string>{"priority"};
  if (task.state == kNeedsHuman && !only_order) {
    Checkpoint* const checkpoint =
        board_.FindCheckpoint({.task = task.key, .number = task.open_checkpoint});
    if (checkpoint != nullptr) board_.Resolve(*checkpoint, Decision::kEdit, "", actor);
    tasks_.Restart(task);
  }
  if (task.state == kPaused && task.reason == "budget" && Names(change, "limit_usd_nanos")) {
    tasks_.Resume(task);
  }
  PlaceAfterDependencies(task);
}

void AmendFlow::PlaceAfterDependencies(Task& task) {
  const bool satisfied = tasks_.DependenciesSatisfied(task);
  if (task.state == kBlocked && satisfied) {
    return board_.Move(task, TaskCommand::kUnblock, kReady);
  }
  const bool waits = task.state == kReady || task.state == kRetryWait || task.state == kPaused;
  if (waits && !satisfied) board_.Move(task, TaskCommand::kBlock, kBlocked);
}

void AmendFlow::Remove(Task& task, const std::string& detail, const std::string& actor) {
  Checkpoint* const checkpoint =
      board_.FindCheckpoint({.task = task.key, .number = task.open_checkpoint});
  if (checkpoint != nullptr) board_.Resolve(*checkpoint, Decision::kSkip, detail, actor);
  tasks_.Remove(task, detail);
}

}  // namespace slipway::dispatcher
