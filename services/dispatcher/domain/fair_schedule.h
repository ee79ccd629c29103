#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "services/dispatcher/domain/fair_shares.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/path_holds.h"
#include "services/dispatcher/domain/scheduling.h"

namespace slipway::dispatcher {

// A task that could be granted, as far as its own state goes.
struct WaitingTask {
  TaskKey key;
  bool validates = false;  // Finishing work comes before starting some.
  int priority = 0;
  absl::Time ready_time;
  absl::Duration remaining_path;
  std::string role;
  std::vector<std::string> footprint;  // See FootprintOf.

  friend bool operator==(const WaitingTask&, const WaitingTask&) = default;
};

// An attempt that has an agent.
struct HeldSlot {
  AttemptKey attempt;
  bool validates = false;
  std::string role;
  std::string host;
  absl::Duration start;  // By the monotonic clock.
};

// What a task's priority is worth after waiting, as a number that does not change while it waits:
// the least is first. A task of priority p is passed by one of priority q only if that was ready at
// most (q - p + 1) steps later, so nothing starves.
int64_t Urgency(int priority, absl::Time ready_time, absl::Duration aging_step);

// Whose turn it is: an index over the tasks that wait and those that have agents.
//
// Between projects the one that has used least by its weight is next (FairShares). Within a project
// validation comes first, then urgency, the longest remaining path, the time of readiness, and the
// name: a total order, so that equal histories have equal grants. Tasks of one plan and credential
// are limited by the same: they are one queue, which is set aside with the limit that holds it back
// until there is room. So a turn costs the logarithm of what waits, times the queues that a limit
// holds back at worst. A task that is predicted to touch what another on its way touches lets up to
// kYieldsMax others pass; it runs when there are none, or when it has been passed over for the time
// that settings say.
//
// Holds nothing that cannot be told to it again after a restart, but what projects used. Used by
// the core's thread.
class FairSchedule final {
 public:
  explicit FairSchedule(const SchedulingSettings& settings);
  ~FairSchedule();

  FairShares& shares() { return shares_; }

  // A run is under way: the newest one's policy limits the project. Or it has ended.
  void AddRun(const std::string& plan, absl::Time start, int parallel_max);
  void RemoveRun(const std::string& plan);

  // Each replaces what was said of the task before, and changes nothing when it is the same.
  void Offer(WaitingTask task);
  void Withdraw(const TaskKey& key);
  void Begin(const HeldSlot& slot);
  void End(const TaskKey& key, absl::Duration now);
  // Its change is written or under review: it counts in its plan's lane and holds its paths.
  void BeginChange(const TaskKey& key, const std::vector<std::string>& footprint);
  void EndChange(const TaskKey& key);

  // Whose turn it is, if anybody can have one. The same until something is said.
  std::optional<TaskKey> Next(absl::Duration now);

  // How many turns there are now, at most `limit`. Costs as many turns, once for each change.
  int CountTurns(int limit, absl::Duration now);

  // How many attempts have an agent of the host.
  int OnHost(const std::string& host) const;

  bool is_waiting() const { return !entries_.empty(); }
  size_t waiting() const { return entries_.size(); }
  // None when the task does not wait.
  std::optional<Wait> WhyWaits(const TaskKey& key) const;
  // Of which tasks that changed since the last call, and of which queues.
  WaitChanges TakeWaitChanges();

  // Of projects with tasks that wait: when the first of these became ready.
  std::vector<std::pair<std::string, absl::Time>> OldestWaits() const;

  // Reads the clock's progress into the shares.
  void Accrue(absl::Duration now);
  void AddCost(const std::string& project, int64_t cost_usd_nanos);

  // How many things it keeps besides what projects used: none when no run is under way.
  size_t size() const {
    return entries_.size() + slots_.size() + changes_.size() + plans_.size() + patience_.size() +
           ready_turns_.size() + yield_turns_.size();
  }
  // Steps taken so far: what tests hold against what was done.
  int64_t operations() const { return operations_; }

  // How many overlapping tasks a turn looks past for one that does not: with them a turn's cost is
  // bounded.
  static constexpr int kYieldsMax = 32;

 private:
  struct Project;
  struct Plan;
  struct Queue;
  struct Entry;
  struct ByTurn {
    bool operator()(const Entry* a, const Entry* b) const;
    bool operator()(const Queue* a, const Queue* b) const;
  };
  using Turns = std::set<Entry*, ByTurn>;
  using Queues = std::set<Queue*, ByTurn>;
  using ProjectTurns = std::set<std::pair<absl::Duration, std::string>>;

  // Something that a limited number of tasks can have at once.
  struct Limit {
    WaitReason reason = WaitReason::kProjectLimit;
    std::string subject;
    int most = 0;  // 0: any number.
    int used = 0;
    std::map<std::string, Queues> held_back;  // By project.
    std::map<std::string, int> called;        // How many were called back and have not decided.

    bool full() const { return most > 0 && used >= most; }
  };
  struct Project {
    std::string name;
    Limit limit;
    int configured_max = 0;
    std::map<std::pair<absl::Time, std::string>, int> policies;  // parallel_max by start and plan.
    Queues open;                                     // That have tasks which let nobody pass.
    Queues yielding;                                 // That have others; both are not held back.
    std::set<std::pair<absl::Time, TaskKey>> waits;  // Of all its tasks that wait.
    int slots = 0;
    absl::Duration virtual_time;  // By which it is in the turns of projects.
  };

  struct Entry {
    WaitingTask task;
    int64_t urgency = 0;
    Queue* queue = nullptr;
    std::optional<TaskKey> yields_to;        // While it lets others pass.
    std::optional<absl::Duration> patience;  // Until when; from the first time it let one pass.
    bool is_patient = true;
  };

  // In its project's sets by its first entries; these change in Rearrange alone.
  struct Queue {
    int64_t number = 0;
    Project* project = nullptr;
    Plan* plan = nullptr;
    Limit* credential = nullptr;
    bool validates = false;
    Turns ready;
    Turns yielding;
    Limit* held_by = nullptr;
    Limit* called_by = nullptr;  // Called it back, and keeps a place for it.

    const Entry* first() const { return *(ready.empty() ? yielding : ready).begin(); }
    bool empty() const { return ready.empty() && yielding.empty(); }
  };

  struct Plan {
    Limit attempts{.reason = WaitReason::kPlanLimit};
    Limit lane{.reason = WaitReason::kMergeLane};
    PathHolds holds;
    std::map<std::pair<Limit*, bool>, Queue> queues;
    int users = 0;  // Tasks that wait, have an agent or hold paths, and the run itself.
    std::optional<absl::Time> start;
  };
  struct Change {
    std::vector<std::string> footprint;
    std::set<TaskKey> yielding;
  };

  Project& ProjectFor(const std::string& plan);
  Plan& PlanFor(const std::string& plan);
  Queue& QueueFor(const WaitingTask& task);
  Limit* CredentialOf(const std::string& role);
  static Limit* FullLimit(const Queue& queue);
  std::optional<PathHolds::Overlap> OverlapOf(const Entry& entry) const;
  static Wait WaitOf(const Queue& queue);

  void Put(std::unique_ptr<Entry> entry);
  std::unique_ptr<Entry> Take(const TaskKey& key);
  void Yield(Entry& entry, const PathHolds::Overlap& overlap, absl::Duration now);
  void EndYield(Entry& entry);
  void HoldBack(Queue& queue, Limit& limit);
  void Open(Queue& queue);
  void Detach(Queue& queue);
  // Changes by `act` which entries a queue has, and puts it where it then belongs.
  void Rearrange(Queue& queue, absl::FunctionRef<void()> act);
  void EndCall(Queue& queue);
  void CallBack(Limit& limit, const std::string& project);
  void CallBackAll(Limit& limit);
  void Use(Limit* limit);
  void Free(Limit* limit);
  void SetMost(Limit& limit, int most);
  void UpdateProjectLimit(Project& project);
  void EndPatience(absl::Duration now);
  void Reorder(Project& project);
  void UpdateActive(Project& project);
  void Forget(const std::string& plan);

  const SchedulingSettings& settings_;
  FairShares shares_;
  std::map<std::string, std::unique_ptr<Project>> projects_;
  std::map<std::string, std::unique_ptr<Plan>> plans_;
  std::map<std::string, Limit> credentials_;
  std::map<std::string, std::string> credential_of_role_;
  // Found by hash, as keys are long and alike; nothing goes by the order of these.
  absl::flat_hash_map<TaskKey, std::unique_ptr<Entry>> entries_;
  absl::flat_hash_map<TaskKey, HeldSlot> slots_;
  absl::node_hash_map<TaskKey, Change> changes_;
  std::map<std::string, int> on_host_;
  ProjectTurns ready_turns_;  // Projects with tasks that nothing is known to hold back.
  ProjectTurns yield_turns_;  // Projects with tasks that let others pass.
  std::set<std::pair<absl::Duration, TaskKey>> patience_;  // When those stop doing so.
  std::set<TaskKey> wait_changes_;
  std::map<int64_t, QueueNote> told_queues_;  // By number.
  int64_t last_queue_ = 0;
  int64_t operations_ = 0;
  int64_t version_ = 0;
  int64_t told_version_ = 0;
  int64_t counted_version_ = -1;
  int counted_limit_ = 0;
  int counted_ = 0;
};

}  // namespace slipway::dispatcher
