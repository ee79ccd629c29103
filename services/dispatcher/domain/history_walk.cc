#include "services/dispatcher/domain/history_walk.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/task_flow.h"
#include "services/dispatcher/domain/transition_table.h"

namespace slipway::dispatcher {
namespace {

using absl::StrCat;
using nlohmann::json;

std::optional<TaskState> TaskStateNamed(absl::string_view name) {
  for (int state = 1; state <= kTaskStates; ++state) {
    if (Name(static_cast<TaskState>(state)) == name) return static_cast<TaskState>(state);
  }
  return std::nullopt;
}

std::optional<AttemptState> AttemptStateNamed(absl::string_view name) {
  for (int state = 1; state <= kAttemptStates; ++state) {
    if (Name(static_cast<AttemptState>(state)) == name) return static_cast<AttemptState>(state);
  }
  return std::nullopt;
}

std::optional<RunState> RunStateNamed(absl::string_view name) {
  for (const RunState state : {RunState::kRunning, RunState::kIntegrating, RunState::kSucceeded,
                               RunState::kFailed, RunState::kCancelled}) {
    if (Name(state) == name) return state;
  }
  return std::nullopt;
}

template <typename Transitions, typename State>
bool Walks(const Transitions& transitions, State from, State to) {
  return std::any_of(transitions.begin(), transitions.end(),
                     [&](const auto& t) { return t.from == from && t.to == to; });
}

bool RunWalks(RunState from, RunState to) {
  return !IsEnd(from) && (to == RunState::kIntegrating ? from == RunState::kRunning : IsEnd(to));
}

// States in which an attempt has been heard: only the holder of a task can enter them.
bool IsAccepted(AttemptState to) {
  return to == AttemptState::kActive || to == AttemptState::kReported ||
         to == AttemptState::kFailed || to == AttemptState::kPaused;
}

}  // namespace

// The facts of an event, whatever they are: a damaged payload has none.
struct HistoryWalk::Facts {
  json values = json::object();

  explicit Facts(const events::EventDraft& draft) {
    const json payload = json::parse(draft.payload_json, nullptr, /*allow_exceptions=*/false);
    if (payload.is_object() && payload.size() == 1 && payload.begin()->is_object()) {
      values = *payload.begin();
    }
  }

  std::string Text(const char* name) const {
    const auto found = values.find(name);
    return found != values.end() && found->is_string() ? found->get<std::string>() : "";
  }
  int64_t Number(const char* name) const {
    const auto found = values.find(name);
    return found != values.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
  }
  bool Flag(const char* name) const {
    const auto found = values.find(name);
    return found != values.end() && found->is_boolean() && found->get<bool>();
  }
};

void HistoryWalk::Add(const events::Event& event) {
  const bool first = last_sequence_ == 0;
  report_.ExpectThat(
      5, first ? compacted_ || event.sequence == 1 : event.sequence == last_sequence_ + 1,
      [&] { return StrCat("event ", event.sequence, " follows ", last_sequence_); });
  if (first) first_time_ = event.append_time;
  last_sequence_ = event.sequence;
  last_time_ = event.append_time;
  CheckNames(event);
  FollowRules(event.sequence);
  const events::EventDraft& draft = event.draft;
  const Facts facts(draft);
  if (draft.kind == "task.state_changed") {
    const absl::StatusOr<TaskKey> key = ParseTaskKey(draft.task);
    if (key.ok()) AddTask(event, *key, facts);
  } else if (draft.kind == "attempt.state_changed") {
    const absl::StatusOr<AttemptKey> key = ParseAttemptKey(draft.attempt);
    if (key.ok()) AddAttempt(event, *key, facts);
  } else if (draft.kind == "run.state_changed") {
    const std::optional<RunState> to = RunStateNamed(facts.Text("to"));
    const auto known = runs_.find(draft.plan);
    const bool walks =
        to.has_value() && (known == runs_.end() ? compacted_ || *to == RunState::kRunning
                                                : Name(known->second) == facts.Text("from") &&
                                                      RunWalks(known->second, *to));
    report_.ExpectThat(5, walks, [&] {
      return StrCat("event ", event.sequence, ": run ", draft.plan, " goes from '",
                    facts.Text("from"), "' to '", facts.Text("to"), "'");
    });
    if (to.has_value()) runs_[draft.plan] = *to;
  } else if (draft.kind == "pause.changed") {
    if (facts.Flag("paused")) {
      pauses_.insert(facts.Text("scope"));
    } else {
      pauses_.erase(facts.Text("scope"));
    }
  } else if (draft.kind == "run.amended") {
    RankWaiting(draft.plan);
  } else if (draft.kind == "stale.refused") {
    report_.Count(11);
  }
}

void HistoryWalk::CheckNames(const events::Event& event) {
  const events::EventDraft& draft = event.draft;
  const auto below = [](const std::string& name, const std::string& parent,
                        absl::string_view part) {
    return name.empty() || absl::StartsWith(name, StrCat(parent, part));
  };
  const bool right = below(draft.attempt, draft.task, "/attempts/") &&
                     below(draft.task, draft.plan, "/tasks/") &&
                     below(draft.plan, draft.project, "/plans/");
  report_.ExpectThat(6, right, [&] {
    return StrCat("event ", event.sequence, " names ", draft.project, ", ", draft.plan, ", ",
                  draft.task, ", ", draft.attempt);
  });
}

void HistoryWalk::AddTask(const events::Event& event, const TaskKey& key, const Facts& facts) {
  const std::string name = StrCat("event ", event.sequence, ": ", key.Name());
  const std::optional<TaskState> to = TaskStateNamed(facts.Text("to"));
  const std::optional<TaskState> from = TaskStateNamed(facts.Text("from"));
  const auto known = tasks_.find(key);
  const bool is_new = known == tasks_.end() || !known->second.is_told;
  const bool walks = to.has_value() &&
                     (is_new ? compacted_ || facts.Text("from").empty()
                             : from == known->second.state && Walks(TaskTransitions(), *from, *to));
  report_.ExpectThat(5, walks, [&] {
    return StrCat(name, " goes from '", facts.Text("from"), "' to '", facts.Text("to"), "'",
                  is_new ? "" : StrCat(" but was ", Name(known->second.state)));
  });
  if (!to.has_value()) return;
  TaskFold& task = tasks_[key];
  task.is_told = true;
  const int64_t epoch = facts.Number("epoch");
  report_.ExpectThat(3, epoch == task.epoch || (is_new && compacted_), [&] {
    return StrCat(name, " tells epoch ", epoch, ", the newest is ", task.epoch);
  });
  if (is_new) task.epoch = epoch;
  if (!is_new && from.has_value()) CheckRetries(name, task, *from, *to, facts);
  CheckSameFailure(name, task, from, *to, facts);
  if (*to == TaskState::kMerged) {
    ++task.merges;
    report_.ExpectThat(4, task.merges == 1, [&] { return StrCat(name, " is merged again"); });
  }
  if (*to == TaskState::kReady && !task.first_ready.has_value()) {
    task.first_ready = event.append_time;
  }
  task.state = *to;
  UpdateWaiting(key);
  UpdateLane(key);
  task.reason = facts.Text("reason");
  task.retries = facts.Number("retries");
}

// A task is not given to another agent after the same failure twice in a row, but by a person.
void HistoryWalk::CheckSameFailure(const std::string& name, TaskFold& task,
                                   std::optional<TaskState> from, TaskState to,
                                   const Facts& facts) {
  const std::string failure = facts.Text("fingerprint");
  if (from.has_value() && (*from == TaskState::kNeedsHuman || IsEnd(*from))) {
    task.failure.clear();
    task.same_failures = 0;
  }
  if (failure.empty()) return;
  task.same_failures = failure == task.failure ? task.same_failures + 1 : 1;
  task.failure = failure;
  const bool is_again = to == TaskState::kReady || to == TaskState::kRetryWait;
  report_.ExpectThat(12, !is_again || task.same_failures < kSameFailuresMax, [&] {
    return StrCat(name, " is tried again after the same failure ", task.same_failures,
                  " times in a row");
  });
}

void HistoryWalk::CheckRetries(const std::string& name, const TaskFold& task, TaskState from,
                               TaskState to, const Facts& facts) {
  const int64_t retries = facts.Number("retries");
  const bool anew = retries == 0 && (from == TaskState::kNeedsHuman || IsEnd(from));
  const bool charged = retries == task.retries + 1 && to == TaskState::kReady &&
                       facts.Text("reason") == "agent" && from != TaskState::kPaused;
  report_.ExpectThat(12, retries == task.retries || anew || charged, [&] {
    return StrCat(name, " went from ", task.retries, " to ", retries, " agent retries by ",
                  Name(from), " -> ", Name(to), " (", facts.Text("reason"), ")");
  });
}

void HistoryWalk::AddAttempt(const events::Event& event, const AttemptKey& key,
                             const Facts& facts) {
  const std::string name = StrCat("event ", event.sequence, ": ", key.Name());
  const std::optional<AttemptState> to = AttemptStateNamed(facts.Text("to"));
  TaskFold& task = tasks_[key.task];
  const auto known = task.attempts.find(key.epoch);
  const bool is_new = known == task.attempts.end();
  const bool starts = is_new && (compacted_ || to == AttemptState::kOffered);
  const bool walks =
      to.has_value() && (starts || (!is_new && Name(known->second.state) == facts.Text("from") &&
                                    Walks(AttemptTransitions(), known->second.state, *to)));
  report_.ExpectThat(5, walks, [&] {
    return StrCat(name, " goes from '", facts.Text("from"), "' to '", facts.Text("to"), "'",
                  is_new ? "" : StrCat(" but was ", Name(known->second.state)));
  });
  if (!to.has_value()) return;
  AttemptFold& attempt = task.attempts[key.epoch];
  if (is_new) {
    attempt.start_sequence = event.sequence;
    attempt.works = facts.Text("grant_kind") != Name(GrantKind::kValidate);
    attempt.host = facts.Text("host");
    if (attempt.works) attempt.credential = CredentialOf(key, event.sequence);
    if (*to == AttemptState::kOffered) CheckGrant(event, key, task, attempt.works);
    task.epoch = std::max(task.epoch, key.epoch);
  } else {
    CheckAttemptMove(name, key.epoch, task, attempt.state, *to);
  }
  attempt.state = *to;
  attempt.reason = facts.Text("reason");
  if (*to == AttemptState::kReported) attempt.was_reported = true;
  int& live = live_by_project_[ProjectOf(key.task.plan)];
  if (IsLive(*to) && task.live != key.epoch) {
    task.live = key.epoch;
    ++live;
    CountLive(key, attempt, 1);
  } else if (!IsLive(*to) && task.live == key.epoch) {
    task.live.reset();
    --live;
    CountLive(key, attempt, -1);
  }
  UpdateLane(key.task);
}

void HistoryWalk::CheckGrant(const events::Event& event, const AttemptKey& key,
                             const TaskFold& task, bool works) {
  const std::string name = StrCat("event ", event.sequence, ": ", key.Name());
  report_.ExpectThat(2, !task.live.has_value(), [&] {
    return StrCat(name, " is granted while attempt ", *task.live, " holds the task");
  });
  report_.ExpectThat(2, key.epoch == task.epoch + 1 || compacted_,
                     [&] { return StrCat(name, " follows epoch ", task.epoch); });
  const TaskState expected = works ? TaskState::kReady : TaskState::kValidating;
  report_.ExpectThat(7, task.state == expected || (compacted_ && !task.is_told), [&] {
    return StrCat(name, " is granted while the task is ", Name(task.state));
  });
  CheckRoom(name, key.task);
  CheckLimits(name, key, task.attempts.at(key.epoch));
  if (!works || !lookups_.spec_holds_at(key.task.plan, event.sequence)) return;
  CheckDependencies(event, key);
  CheckTurn(event, key.task);
}

void HistoryWalk::CheckRoom(const std::string& name, const TaskKey& key) {
  const bool paused = std::any_of(pauses_.begin(), pauses_.end(),
                                  [&](const std::string& scope) { return Covers(scope, key); });
  report_.ExpectThat(8, !paused, [&] { return StrCat(name, " is granted in a paused scope"); });
  const std::string project = ProjectOf(key.plan);
  const int parallel_max = lookups_.parallel_max(project);
  const int live = live_by_project_[project] + 1;
  report_.ExpectThat(8, parallel_max == 0 || live <= parallel_max, [&] {
    return StrCat(name, " is number ", live, " of at most ", parallel_max, " in ", project);
  });
}

bool HistoryWalk::IsSatisfied(const TaskKey& key) const {
  const auto found = tasks_.find(key);
  if (found == tasks_.end()) return compacted_;
  const TaskFold& task = found->second;
  return task.state == TaskState::kMerged ||
         (task.state == TaskState::kSkipped && task.reason != kDependencyReason);
}

void HistoryWalk::CheckDependencies(const events::Event& event, const AttemptKey& key) {
  const TaskSpec* const spec = lookups_.spec(key.task);
  if (spec == nullptr) return;
  for (const std::string& id : spec->depends_on) {
    report_.ExpectThat(7, IsSatisfied({.plan = key.task.plan, .id = id}), [&] {
      return StrCat("event ", event.sequence, ": ", key.Name(), " is granted before ", id);
    });
  }
}

void HistoryWalk::CheckAttemptMove(const std::string& name, int64_t epoch, const TaskFold& task,
                                   AttemptState from, AttemptState to) {
  if (IsAccepted(to)) {
    report_.ExpectThat(3, epoch == task.epoch, [&] {
      return StrCat(name, " becomes ", Name(to), ", the newest epoch is ", task.epoch);
    });
  }
  if (from == AttemptState::kRevoked || from == AttemptState::kLost ||
      from == AttemptState::kSalvaged) {
    report_.ExpectThat(11, to == AttemptState::kSalvaged, [&] {
      return StrCat(name, " was ", Name(from), " and becomes ", Name(to));
    });
  }
}

}  // namespace slipway::dispatcher
