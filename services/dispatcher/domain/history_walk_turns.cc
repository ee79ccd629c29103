// Whose turn it was, and whether there was room: the rest of HistoryWalk.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/fair_schedule.h"
#include "services/dispatcher/domain/history_walk.h"
#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

using absl::StrCat;

// More than can pass between a decision and the time of its event, and little of a step.
constexpr absl::Duration kDecisionLagMax = absl::Minutes(1);
constexpr int kStepPerLag = 10;

// How many tasks that were passed over are looked at: what they waited for is looked up for each.
constexpr int kPassedMax = 50;

// No name of a credential.
constexpr char kUnknown[] = "?";

absl::Duration LagOf(const GrantRules& rules) {
  return std::min(kDecisionLagMax, rules.scheduling.aging_step / kStepPerLag);
}

int Most(const std::map<std::string, int>& limits, const std::string& name) {
  const auto found = limits.find(name);
  return found == limits.end() ? 0 : found->second;
}

bool IsUnderReview(TaskState state) {
  return state == TaskState::kInspecting || state == TaskState::kValidating ||
         state == TaskState::kJudging || state == TaskState::kMerging;
}

const CredentialLimit* LimitOf(const GrantRules& rules, const std::string& role) {
  for (const CredentialLimit& credential : rules.scheduling.credentials) {
    const auto& roles = credential.roles;
    if (std::find(roles.begin(), roles.end(), role) != roles.end()) return &credential;
  }
  return nullptr;
}

}  // namespace

void HistoryWalk::FollowRules(int64_t sequence) {
  const GrantRules* const rules = lookups_.rules(sequence);
  if (rules == rules_) return;
  rules_ = rules;
  std::set<std::string> plans;
  for (const auto& [key, task] : tasks_) plans.insert(key.plan);
  for (const std::string& plan : plans) RankWaiting(plan);
}

// The plan or the rules have changed: every task that waits has another place.
void HistoryWalk::RankWaiting(const std::string& plan) {
  waiting_.erase(plan);
  for (auto at = tasks_.lower_bound({.plan = plan, .id = ""});
       at != tasks_.end() && at->first.plan == plan; ++at) {
    at->second.urgency.reset();
    UpdateWaiting(at->first);
  }
}

void HistoryWalk::UpdateWaiting(const TaskKey& key) {
  TaskFold& task = tasks_[key];
  auto& waiting = waiting_[key.plan];
  if (task.urgency.has_value()) waiting.erase({*task.urgency, key.id});
  task.urgency.reset();
  if (task.state != TaskState::kReady || !task.first_ready.has_value() || rules_ == nullptr) return;
  const TaskSpec* const spec = lookups_.spec(key);
  if (spec == nullptr) return;
  // No earlier than it became ready for those who decided.
  task.urgency =
      Urgency(spec->priority, *task.first_ready + LagOf(*rules_), rules_->scheduling.aging_step);
  waiting.emplace(*task.urgency, key.id);
}

void HistoryWalk::UpdateLane(const TaskKey& key) {
  if (key.id == kIntegrationId) return;
  const TaskFold& task = tasks_[key];
  const bool writes = task.live.has_value() && task.attempts.at(*task.live).works;
  if (writes || IsUnderReview(task.state)) {
    lanes_[key.plan].insert(key.id);
  } else {
    lanes_[key.plan].erase(key.id);
  }
}

// As the rules and the plan had it then, kUnknown when an amendment may have changed it since.
std::string HistoryWalk::CredentialOf(const AttemptKey& key, int64_t sequence) const {
  if (rules_ == nullptr || rules_->scheduling.credentials.empty()) return "";
  if (!lookups_.spec_holds_at(key.task.plan, sequence)) return kUnknown;
  const TaskSpec* const spec = lookups_.spec(key.task);
  const CredentialLimit* const limit = spec == nullptr ? nullptr : LimitOf(*rules_, spec->role);
  return limit == nullptr ? "" : limit->name;
}

void HistoryWalk::CountLive(const AttemptKey& key, const AttemptFold& attempt, int number) {
  live_by_plan_[key.task.plan] += number;
  live_by_host_[attempt.host] += number;
  if (!attempt.credential.empty()) live_by_credential_[attempt.credential] += number;
}

// The attempt does not count yet.
void HistoryWalk::CheckLimits(const std::string& name, const AttemptKey& key,
                              const AttemptFold& attempt) {
  if (rules_ == nullptr) return;
  const auto expect = [&](int most, int live, const std::string& where) {
    report_.ExpectThat(8, most == 0 || live < most, [&] {
      return StrCat(name, " is number ", live + 1, " of at most ", most, " in ", where);
    });
  };
  const SchedulingSettings& scheduling = rules_->scheduling;
  const std::string& plan = key.task.plan;
  const std::string project = ProjectOf(plan);
  const auto share = scheduling.projects.find(project);
  if (share != scheduling.projects.end()) {
    expect(share->second.attempts_max, live_by_project_[project], project);
  }
  expect(scheduling.plan_attempts_max, live_by_plan_[plan], plan);
  expect(Most(rules_->host_slots, attempt.host), live_by_host_[attempt.host], attempt.host);
  if (!attempt.works) return;
  expect(scheduling.lane_changes_max, static_cast<int>(lanes_[plan].size()),
         StrCat("the lane of ", plan));
  for (const CredentialLimit& credential : scheduling.credentials) {
    if (credential.name != attempt.credential) continue;
    expect(credential.attempts_max, live_by_credential_[credential.name],
           StrCat("credential ", credential.name));
  }
}

// Whether the task, which was passed over in its own plan, could have run instead.
bool HistoryWalk::HadRoom(const TaskKey& key, const TaskSpec& spec) {
  const bool paused = std::any_of(pauses_.begin(), pauses_.end(),
                                  [&](const std::string& scope) { return Covers(scope, key); });
  if (paused || tasks_[key].live.has_value()) return false;
  const CredentialLimit* const limit = LimitOf(*rules_, spec.role);
  if (limit != nullptr &&
      live_by_credential_[limit->name] + live_by_credential_[kUnknown] >= limit->attempts_max) {
    return false;
  }
  if (rules_->scheduling.overlap_wait == absl::ZeroDuration()) return true;
  PathHolds holds;
  for (const std::string& id : lanes_[key.plan]) {
    const TaskSpec* const other = lookups_.spec({.plan = key.plan, .id = id});
    if (other != nullptr) holds.Add(id, FootprintOf(other->allowed_paths));
  }
  return !holds.Find(FootprintOf(spec.allowed_paths)).has_value();
}

// A task that is more urgent by what it has waited and its priority comes before one that is less,
// unless something of its own holds it back.
void HistoryWalk::CheckTurn(const events::Event& event, const TaskKey& key) {
  const TaskFold& granted = tasks_[key];
  const TaskSpec* const spec = lookups_.spec(key);
  if (spec == nullptr || !granted.first_ready.has_value() || rules_ == nullptr) return;
  // What had an agent when the log that is kept began may not have told anything since.
  if (compacted_ && event.append_time - first_time_ < kAttemptTimeoutMax) return;
  report_.Count(13);
  const int64_t urgency =
      Urgency(spec->priority, *granted.first_ready - LagOf(*rules_), rules_->scheduling.aging_step);
  int looked_at = 0;
  for (const auto& [passed, id] : waiting_[key.plan]) {
    if (passed >= urgency || ++looked_at > kPassedMax) return;
    const TaskKey other{.plan = key.plan, .id = id};
    const TaskSpec* const passed_spec = lookups_.spec(other);
    if (other == key || passed_spec == nullptr) continue;
    const TaskSpec copy = *passed_spec;  // Looking for another may replace it.
    if (!HadRoom(other, copy)) continue;
    report_.Expect(13, false,
                   StrCat("event ", event.sequence, ": ", key.Name(), " is granted before ", id,
                          ", which is more urgent and has waited for ",
                          absl::FormatDuration(event.append_time - *tasks_[other].first_ready)));
  }
}

}  // namespace slipway::dispatcher
