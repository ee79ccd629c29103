#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/events/event.h"
#include "services/dispatcher/domain/audit_report.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/scheduling.h"
#include "services/dispatcher/domain/states.h"
#include "services/dispatcher/domain/task.h"

namespace slipway::dispatcher {

// Goes through the dispatcher's log, event by event, and holds each against the invariants that a
// history can break, without the code that made it. Not thread-safe.
class HistoryWalk final {
 public:
  // What events do not tell.
  struct Lookups {
    // The task as it is specified; null when it is not known.
    std::function<const TaskSpec*(const TaskKey&)> spec;
    // Whether `spec` was the same when the plan's event of this sequence was made: an amendment
    // may have changed it since.
    std::function<bool(const std::string& plan, int64_t sequence)> spec_holds_at;
    // A project's limit of attempts at once; 0: none.
    std::function<int(const std::string& project)> parallel_max;
    // By what the dispatcher made the grants around an event; null when that is not known. Events
    // of one term get the same object.
    std::function<const GrantRules*(int64_t sequence)> rules;
  };

  // What the events of one attempt add up to.
  struct AttemptFold {
    AttemptState state = AttemptState::kOffered;
    bool works = true;  // Else it validates.
    bool was_reported = false;
    std::string reason;
    int64_t start_sequence = 0;  // Of its first event.
    std::string host;
    std::string credential;  // That limits it; empty when none does, "?" when that is not known.
  };

  // ... of one task.
  struct TaskFold {
    bool is_told = false;  // By an event of its own: the log may begin after the last one.
    TaskState state = TaskState::kBlocked;
    std::string reason;
    int64_t epoch = 0;
    int64_t retries = 0;  // Of the agent.
    std::string failure;  // Fingerprint of the newest.
    int same_failures = 0;
    int merges = 0;
    std::optional<int64_t> live;  // Epoch of the attempt that holds an agent.
    std::optional<absl::Time> first_ready;
    std::optional<int64_t> urgency;  // While it is READY, as of the rules and the present plan.
    std::map<int64_t, AttemptFold> attempts;
  };

  // `compacted`: the log does not begin with the first event ever, so what it does not tell is
  // taken as it comes.
  HistoryWalk(Lookups lookups, bool compacted, AuditReport& report)
      : lookups_(std::move(lookups)), compacted_(compacted), report_(report) {}

  void Add(const events::Event& event);

  const std::map<TaskKey, TaskFold>& tasks() const { return tasks_; }
  const std::map<std::string, RunState>& runs() const { return runs_; }
  const std::set<std::string>& pauses() const { return pauses_; }
  int64_t last_sequence() const { return last_sequence_; }
  absl::Time last_time() const { return last_time_; }

 private:
  struct Facts;

  void CheckNames(const events::Event& event);
  void AddTask(const events::Event& event, const TaskKey& key, const Facts& facts);
  void CheckSameFailure(const std::string& name, TaskFold& task, std::optional<TaskState> from,
                        TaskState to, const Facts& facts);
  void CheckRetries(const std::string& name, const TaskFold& task, TaskState from, TaskState to,
                    const Facts& facts);
  void AddAttempt(const events::Event& event, const AttemptKey& key, const Facts& facts);
  void CheckGrant(const events::Event& event, const AttemptKey& key, const TaskFold& task,
                  bool works);
  void CheckDependencies(const events::Event& event, const AttemptKey& key);
  void CheckTurn(const events::Event& event, const TaskKey& key);
  void CheckRoom(const std::string& name, const TaskKey& key);
  void CheckLimits(const std::string& name, const AttemptKey& key, const AttemptFold& attempt);
  bool HadRoom(const TaskKey& key, const TaskSpec& spec);
  void CountLive(const AttemptKey& key, const AttemptFold& attempt, int number);
  void FollowRules(int64_t sequence);
  void UpdateWaiting(const TaskKey& key);
  void RankWaiting(const std::string& plan);
  void UpdateLane(const TaskKey& key);
  std::string CredentialOf(const AttemptKey& key, int64_t sequence) const;
  void CheckAttemptMove(const std::string& name, int64_t epoch, const TaskFold& task,
                        AttemptState from, AttemptState to);
  bool IsSatisfied(const TaskKey& key) const;

  const Lookups lookups_;
  const bool compacted_;
  AuditReport& report_;
  std::map<TaskKey, TaskFold> tasks_;
  std::map<std::string, RunState> runs_;
  std::set<std::string> pauses_;
  std::map<std::string, int> live_by_project_;
  std::map<std::string, int> live_by_plan_;
  std::map<std::string, int> live_by_host_;
  std::map<std::string, int> live_by_credential_;
  std::map<std::string, std::set<std::string>> lanes_;  // Changes on their way, by plan.
  std::map<std::string, std::set<std::pair<int64_t, std::string>>> waiting_;  // READY, by plan.
  const GrantRules* rules_ = nullptr;
  int64_t last_sequence_ = 0;
  absl::Time first_time_;
  absl::Time last_time_ = absl::InfinitePast();
};

}  // namespace slipway::dispatcher
