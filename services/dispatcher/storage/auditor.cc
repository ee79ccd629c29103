#include "services/dispatcher/storage/auditor.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/retry_policy.h"
#include "services/dispatcher/domain/task_flow.h"
#include "services/dispatcher/storage/task_json.h"
#include "services/dispatcher/storage/task_rows.h"

namespace slipway::dispatcher {
namespace {

using absl::StrCat;
using sqlite::Row;
using sqlite::Sql;
using enum TaskState;

constexpr Sql kAuditedRuns = "SELECT " SLIPWAY_RUN_COLUMNS " FROM run ORDER BY position";
constexpr Sql kAuditedTasks =
    "SELECT " SLIPWAY_TASK_COLUMNS " FROM " SLIPWAY_TASKS " ORDER BY plan,id";
constexpr Sql kAuditedAttempts = "SELECT " SLIPWAY_ATTEMPT_COLUMNS " FROM attempt";
constexpr Sql kAuditedCheckpoints = "SELECT " SLIPWAY_CHECKPOINT_COLUMNS " FROM checkpoint";
constexpr Sql kAuditedResults = "SELECT plan,task,epoch,salvage,patch IS NOT NULL FROM result";
constexpr Sql kAuditedPauses = "SELECT scope FROM pause";
constexpr Sql kAuditedTerms =
    "SELECT begin_time_us,begin_sequence,lease_timeout_us,rules FROM term ORDER BY number";
constexpr Sql kAmended =
    "SELECT plan,MAX(sequence) FROM event WHERE kind='run.amended' GROUP BY plan";
constexpr Sql kCompacted = "SELECT compacted_sequence FROM log_meta";
constexpr Sql kTermNumbers = "SELECT (SELECT term FROM meta),(SELECT MAX(number) FROM term)";
constexpr Sql kAuditedEvents =
    "SELECT sequence,time_us,kind,project,plan,task,attempt,payload FROM event ORDER BY sequence";
constexpr Sql kOrphans =
    "SELECT 'task '||plan||'/tasks/'||id||' has no run' FROM task"
    " WHERE plan NOT IN (SELECT plan FROM run)"
    " UNION ALL SELECT 'task '||t.plan||'/tasks/'||t.id||' has no description' FROM task t"
    " LEFT JOIN task_spec s ON s.plan=t.plan AND s.id=t.id WHERE s.id IS NULL"
    " UNION ALL SELECT 'attempt '||a.plan||'/tasks/'||a.task||'/attempts/'||a.epoch||' has no task'"
    " FROM attempt a LEFT JOIN task t ON t.plan=a.plan AND t.id=a.task WHERE t.id IS NULL"
    " UNION ALL SELECT 'result '||r.plan||'/tasks/'||r.task||' '||r.epoch||' has no attempt'"
    " FROM result r LEFT JOIN attempt a ON a.plan=r.plan AND a.task=r.task AND a.epoch=r.epoch"
    " WHERE a.epoch IS NULL"
    " UNION ALL SELECT 'checkpoint '||c.plan||'/tasks/'||c.task||' c'||c.number||' has no task'"
    " FROM checkpoint c LEFT JOIN task t ON t.plan=c.plan AND t.id=c.task WHERE t.id IS NULL"
    " LIMIT 20";

events::Event ReadEvent(const Row& row) {
  return {.sequence = row.Int64(0),
          .append_time = row.Time(1),
          .draft = {.kind = row.Text(2),
                    .project = row.Text(3),
                    .plan = row.Text(4),
                    .task = row.Text(5),
                    .attempt = row.Text(6),
                    .payload_json = row.Text(7)}};
}

template <typename Map, typename Key>
const auto* Find(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

absl::StatusOr<AuditResult> Auditor::Run() {
  RETURN_IF_ERROR(Load());
  RETURN_IF_ERROR(Walk());
  RETURN_IF_ERROR(CheckReferences());
  CompareRuns();
  for (const auto& [key, task] : tasks_) CompareTask(task);
  CompareAttempts();
  for (const auto& [plan, run] : runs_) CheckRunSteps(run);
  return AuditResult{.checks = report_.Take(), .time = walk_->last_time()};
}

absl::Status Auditor::Load() {
  ASSIGN_OR_RETURN(std::vector<RunRow> runs, reader_.Query(kAuditedRuns, ReadRun));
  std::set<std::string> unlimited;
  for (RunRow& row : runs) {
    const std::string project = ProjectOf(row.run.plan);
    int& parallel_max = parallel_max_[project];
    parallel_max = std::max(parallel_max, row.run.policy.parallel_max);
    if (row.run.policy.parallel_max == 0) unlimited.insert(project);
    runs_.emplace(row.run.plan, std::move(row.run));
  }
  for (const std::string& project : unlimited) parallel_max_[project] = 0;
  ASSIGN_OR_RETURN(std::vector<Task> tasks, reader_.Query(kAuditedTasks, ReadTask));
  for (Task& task : tasks) tasks_.emplace(task.key, std::move(task));
  ASSIGN_OR_RETURN(std::vector<Attempt> attempts, reader_.Query(kAuditedAttempts, ReadAttempt));
  for (Attempt& attempt : attempts) attempts_.emplace(attempt.key, std::move(attempt));
  ASSIGN_OR_RETURN(std::vector<CheckpointRow> checkpoints,
                   reader_.Query(kAuditedCheckpoints, ReadCheckpoint));
  for (CheckpointRow& row : checkpoints) {
    checkpoints_.emplace(row.checkpoint.key, std::move(row.checkpoint));
  }
  RETURN_IF_ERROR(reader_.ForEach(kAuditedResults, [this](const Row& row) {
    results_[{.task = {.plan = row.Text(0), .id = row.Text(1)}, .epoch = row.Int64(2)}] = {
        .salvage = row.Bool(3), .is_patch = row.Bool(4)};
  }));
  RETURN_IF_ERROR(
      reader_.ForEach(kAuditedPauses, [this](const Row& row) { pauses_.insert(row.Text(0)); }));
  ASSIGN_OR_RETURN(terms_, reader_.Query(kAuditedTerms, [](const Row& row) -> absl::StatusOr<Term> {
    Term term{.begin_time = row.Time(0),
              .begin_sequence = row.Int64(1),
              .lease_timeout = absl::Microseconds(row.Int64(2))};
    if (!row.Text(3).empty()) {
      ASSIGN_OR_RETURN(term.rules, GrantRulesFromJson(row.Text(3)));
    }
    return term;
  }));
  return reader_.ForEach(kAmended,
                         [this](const Row& row) { last_amended_[row.Text(0)] = row.Int64(1); });
}

absl::Status Auditor::Walk() {
  ASSIGN_OR_RETURN(const int64_t compacted,
                   reader_.QueryOne(kCompacted, [](const Row& row) { return row.Int64(0); }));
  HistoryWalk::Lookups lookups;
  lookups.spec = [this](const TaskKey& key) {
    const Task* const task = Find(tasks_, key);
    return task == nullptr ? nullptr : &task->spec;
  };
  lookups.spec_holds_at = [this](const std::string& plan, int64_t sequence) {
    const int64_t* const amended = Find(last_amended_, plan);
    return amended == nullptr || sequence > *amended;
  };
  lookups.parallel_max = [this](const std::string& project) {
    const int* const parallel_max = Find(parallel_max_, project);
    return parallel_max == nullptr ? 0 : *parallel_max;
  };
  compacted_ = compacted > 0;
  lookups.rules = [this](int64_t sequence) { return RulesAt(sequence); };
  walk_.emplace(std::move(lookups), compacted_, report_);
  int64_t first = 0;
  RETURN_IF_ERROR(reader_.ForEach(kAuditedEvents, [&](const Row& row) {
    const events::Event event = ReadEvent(row);
    if (first == 0) first = event.sequence;
    if (event.append_time < walk_->last_time()) last_step_back_ = event.sequence;
    CheckRestart(event);
    walk_->Add(event);
  }));
  report_.ExpectThat(6, first == 0 || first == compacted + 1, [&] {
    return StrCat("the log begins with event ", first, ", cursors from ", compacted,
                  " on are taken");
  });
  if (compacted_) return absl::OkStatus();
  report_.ExpectThat(5, walk_->pauses() == pauses_,
                     [] { return std::string("the log and the table of pauses differ"); });
  return absl::OkStatus();
}

const GrantRules* Auditor::RulesAt(int64_t sequence) const {
  const auto next = std::partition_point(terms_.begin(), terms_.end(), [&](const Term& term) {
    return term.begin_sequence < sequence;
  });
  if (next == terms_.begin() || !std::prev(next)->rules.has_value()) return nullptr;
  return &*std::prev(next)->rules;
}

// Every agent that lives has at least a whole lease after a start to be heard.
void Auditor::CheckRestart(const events::Event& event) {
  if (event.draft.kind != "attempt.state_changed") return;
  const bool is_loss = absl::StrContains(event.draft.payload_json, "\"LEASE_EXPIRED\"") &&
                       absl::StrContains(event.draft.payload_json, "\"to\":\"LOST\"");
  const absl::StatusOr<AttemptKey> key = ParseAttemptKey(event.draft.attempt);
  if (!is_loss || !key.ok()) return;
  const auto next = std::partition_point(terms_.begin(), terms_.end(), [&](const Term& term) {
    return term.begin_sequence < event.sequence;
  });
  if (next == terms_.begin()) return;
  const Term& term = *std::prev(next);
  const HistoryWalk::AttemptFold* const fold = FoldOf(*key);
  if (fold == nullptr || fold->start_sequence > term.begin_sequence) return;
  // A wall clock that was set back says nothing about how long that was.
  if (last_step_back_ > term.begin_sequence || event.append_time < term.begin_time) return;
  const absl::Duration after = event.append_time - term.begin_time;
  report_.ExpectThat(16, after >= term.lease_timeout, [&] {
    return StrCat("event ", event.sequence, ": ", key->Name(), " is lost ",
                  absl::FormatDuration(after), " after the start of the dispatcher");
  });
}

absl::Status Auditor::CheckReferences() {
  RETURN_IF_ERROR(reader_.ForEach(
      kOrphans, [this](const Row& row) { report_.Expect(10, false, row.Text(0)); }));
  return reader_.ForEach(kTermNumbers, [this](const Row& row) {
    report_.ExpectThat(10, row.OptionalInt64(1).value_or(row.Int64(0)) == row.Int64(0), [&] {
      return StrCat("the term is ", row.Int64(0), ", the newest that began is ",
                    row.OptionalInt64(1).value_or(0));
    });
    report_.Count(16, static_cast<int64_t>(terms_.size()));
  });
}

void Auditor::CompareRuns() {
  for (const auto& [plan, run] : runs_) {
    const RunState* const fold = Find(walk_->runs(), plan);
    report_.ExpectThat(5, fold == nullptr || *fold == run.state, [&, &name = plan, &row = run] {
      return StrCat(name, " is ", Name(row.state), ", its events say ", Name(*fold));
    });
  }
}

const HistoryWalk::AttemptFold* Auditor::FoldOf(const AttemptKey& key) const {
  const HistoryWalk::TaskFold* const task = Find(walk_->tasks(), key.task);
  return task == nullptr ? nullptr : Find(task->attempts, key.epoch);
}

void Auditor::CompareTask(const Task& task) {
  const std::string name = task.key.Name();
  const HistoryWalk::TaskFold* const fold = Find(walk_->tasks(), task.key);
  const bool is_told = fold != nullptr && fold->is_told;
  report_.ExpectThat(5, is_told ? fold->state == task.state : compacted_, [&] {
    return StrCat(name, " is ", Name(task.state), ", its events say ",
                  is_told ? Name(fold->state) : "nothing");
  });
  report_.ExpectThat(2, !is_told || fold->epoch == task.epoch, [&] {
    return StrCat(name, " is at epoch ", task.epoch, ", its events say ", fold->epoch);
  });
  const bool merged = task.state == kMerged;
  report_.ExpectThat(4, merged == !task.merged_commit.empty(), [&] {
    return StrCat(name, " is ", Name(task.state), " with the commit '", task.merged_commit, "'");
  });
  report_.ExpectThat(4, fold == nullptr || fold->merges <= (merged ? 1 : 0), [&] {
    return StrCat(name, " is ", Name(task.state), " and was merged ", fold->merges, " times");
  });
}

void Auditor::CompareAttempts() {
  std::set<std::string> agents;
  for (const auto& [key, attempt] : attempts_) CompareAttempt(attempt, agents);
  for (const auto& [key, fold] : walk_->tasks()) {
    report_.ExpectThat(10, tasks_.count(key) > 0,
                       [&, &task = key] { return StrCat(task.Name(), " is in the log alone"); });
    for (const auto& [epoch, attempt] : fold.attempts) {
      const AttemptKey logged{.task = key, .epoch = epoch};
      report_.ExpectThat(10, attempts_.count(logged) > 0,
                         [&] { return StrCat(logged.Name(), " is in the log alone"); });
    }
  }
}

void Auditor::CompareAttempt(const Attempt& attempt, std::set<std::string>& agents) {
  const std::string name = attempt.key.Name();
  const Task* const task = Find(tasks_, attempt.key.task);
  const HistoryWalk::AttemptFold* const fold = FoldOf(attempt.key);
  report_.ExpectThat(5, fold == nullptr ? compacted_ : fold->state == attempt.state, [&] {
    return StrCat(name, " is ", Name(attempt.state), ", its events say ",
                  fold == nullptr ? "nothing" : Name(fold->state));
  });
  const int64_t newest = task == nullptr ? 0 : task->epoch;
  const bool live = IsLive(attempt.state);
  report_.ExpectThat(2, live ? attempt.key.epoch == newest : attempt.key.epoch <= newest, [&] {
    return StrCat(name, " is ", Name(attempt.state), ", the task is at epoch ", newest);
  });
  const bool works = attempt.kind == GrantKind::kWork;
  report_.ExpectThat(9, live ? attempt.key_open == works : works || !attempt.key_open, [&] {
    return StrCat(name, " (", Name(attempt.kind), ", ", Name(attempt.state), ") has ",
                  attempt.key_open ? "an open key" : "no key");
  });
  report_.ExpectThat(14, !attempt.agent.empty() && !attempt.host.empty(),
                     [&] { return StrCat(name, " has no agent"); });
  if (live) {
    report_.ExpectThat(14, agents.insert(attempt.agent).second, [&] {
      return StrCat(name, " shares agent ", attempt.agent, " with another attempt");
    });
  }
  CheckResult(attempt);
  CheckLeaseEnd(attempt);
}

void Auditor::CheckResult(const Attempt& attempt) {
  const std::string name = attempt.key.Name();
  const StoredResult* const result = Find(results_, attempt.key);
  const HistoryWalk::AttemptFold* const fold = FoldOf(attempt.key);
  const bool was_reported = fold != nullptr && fold->was_reported;
  const bool needs_result = was_reported || attempt.state == AttemptState::kReported ||
                            attempt.state == AttemptState::kAccepted ||
                            attempt.state == AttemptState::kRejected;
  const bool salvaged = attempt.state == AttemptState::kSalvaged;
  report_.ExpectThat(10, !needs_result || (result != nullptr && attempt.has_result), [&] {
    return StrCat(name, " is ", Name(attempt.state), " and its result is not stored");
  });
  if (result == nullptr) {
    report_.ExpectThat(11, !salvaged,
                       [&] { return StrCat(name, " is SALVAGED and nothing was kept"); });
    return;
  }
  // That it was reported before it was taken back may be told by an event that is gone.
  const bool is_proper = (needs_result || compacted_) && !salvaged;
  report_.ExpectThat(11, result->salvage ? salvaged : is_proper, [&] {
    return StrCat(name, " is ", Name(attempt.state), " and its result is ",
                  result->salvage ? "salvage" : "not salvage");
  });
  report_.ExpectThat(10, result->is_patch == (attempt.kind == GrantKind::kWork),
                     [&] { return StrCat(name, " has a result of the other kind"); });
}

void Auditor::CheckLeaseEnd(const Attempt& attempt) {
  if (attempt.reason != "LEASE_EXPIRED" || attempt.state == AttemptState::kOffered) return;
  // Lost before the dispatcher noted how long there was silence.
  if (!attempt.silence.has_value() || terms_.empty()) return;
  absl::Duration shortest = absl::InfiniteDuration();
  for (const Term& term : terms_) shortest = std::min(shortest, term.lease_timeout);
  report_.ExpectThat(15, *attempt.silence >= shortest, [&] {
    return StrCat(attempt.key.Name(), " lost its lease after ",
                  absl::FormatDuration(*attempt.silence), " of silence, not ",
                  absl::FormatDuration(shortest));
  });
}

bool Auditor::IsSatisfied(const TaskKey& key) const {
  const Task* const task = Find(tasks_, key);
  return task != nullptr &&
         (task->state == kMerged || (task->state == kSkipped && task->reason != kDependencyReason));
}

void Auditor::CheckRunSteps(const dispatcher::Run& run) {
  bool open = false;
  for (auto at = tasks_.lower_bound({.plan = run.plan, .id = ""});
       at != tasks_.end() && at->first.plan == run.plan; ++at) {
    const Task& task = at->second;
    CheckRetryBudgets(run, task);
    if (IsEnd(task.state)) continue;
    open = true;
    CheckNextStep(run, task);
  }
  report_.ExpectThat(1, IsEnd(run.state) || open, [&] {
    return StrCat(run.plan, " is ", Name(run.state), " and none of its tasks is open");
  });
}

void Auditor::CheckNextStep(const dispatcher::Run& run, const Task& task) {
  if (IsEnd(run.state)) {
    return report_.Expect(
        1, false, StrCat(task.key.Name(), " is ", Name(task.state), ", its run ", Name(run.state)));
  }
  const std::string missing = MissingStep(task);
  report_.ExpectThat(1, missing.empty(), [&] {
    return StrCat(task.key.Name(), " is ", Name(task.state), " and ", missing);
  });
}

// What would have to be there for the task ever to go on; empty when it is.
std::string Auditor::MissingStep(const Task& task) const {
  const Attempt* const newest = Find(attempts_, task.attempt());
  const bool live = newest != nullptr && IsLive(newest->state);
  switch (task.state) {
    case kRunning:
      return live && newest->kind == GrantKind::kWork ? "" : "no attempt holds it";
    case kInspecting: {
      const Attempt* const work =
          Find(attempts_, AttemptKey{.task = task.key, .epoch = task.progress.work_epoch});
      const bool there = work != nullptr && work->state == AttemptState::kReported;
      return task.is_integration() || there ? "" : "there is no change to inspect";
    }
    case kValidating:
    case kJudging:
    case kMerging:
      return task.progress.candidate.has_value() ? "" : "there is no candidate";
    case kRetryWait:
      return task.resume_time.has_value() ? "" : "it has no time to go on at";
    case kNeedsHuman: {
      const Checkpoint* const asked =
          Find(checkpoints_, CheckpointKey{.task = task.key, .number = task.open_checkpoint});
      const bool open = asked != nullptr && asked->decision == Decision::kNone;
      return open ? "" : "its question is not open";
    }
    default:
      return MissingCause(task);
  }
}

// The same for states in which nothing is done.
std::string Auditor::MissingCause(const Task& task) const {
  if (task.state == kReady) return task.ready_time.has_value() ? "" : "was never READY";
  if (task.state == kPaused) {
    const bool paused = std::any_of(pauses_.begin(), pauses_.end(), [&](const std::string& scope) {
      return Covers(scope, task.key);
    });
    return paused || task.resume_time.has_value() ? "" : "nothing will let it go on";
  }
  bool waits = false;
  for (const std::string& id : task.spec.depends_on) {
    const TaskKey key{.plan = task.key.plan, .id = id};
    const Task* const dependency = Find(tasks_, key);
    if (IsSatisfied(key)) continue;
    if (dependency == nullptr || IsEnd(dependency->state)) return StrCat("waits for ", id);
    waits = true;
  }
  return waits ? "" : "waits for nothing";
}

void Auditor::CheckRetryBudgets(const dispatcher::Run& run, const Task& task) {
  const std::vector<std::string>& deaths = task.progress.deaths;
  const std::set<std::string> hosts(deaths.begin(), deaths.end());
  const bool is_poison = static_cast<int>(deaths.size()) >= kPoisonDeathsMax ||
                         static_cast<int>(hosts.size()) >= kPoisonHostsMax;
  report_.ExpectThat(12, !is_poison || task.state == kNeedsHuman || IsEnd(task.state), [&] {
    return StrCat(task.key.Name(), " is ", Name(task.state), " after ", deaths.size(),
                  " agents in a row died of it");
  });
  for (const RetryClass retry_class :
       {RetryClass::kAgent, RetryClass::kConflict, RetryClass::kInfrastructure,
        RetryClass::kProvider, RetryClass::kStall}) {
    const auto used = task.progress.retries.find(std::string(Name(retry_class)));
    const int most = RetriesMax(retry_class, run.policy);
    report_.ExpectThat(12, used == task.progress.retries.end() || used->second <= most, [&] {
      return StrCat(task.key.Name(), " used ", used->second, " retries of ", most, " (",
                    Name(retry_class), ")");
    });
  }
}

}  // namespace slipway::dispatcher
