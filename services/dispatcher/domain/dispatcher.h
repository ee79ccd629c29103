#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/mutex.h"
#include "lib/base/reply.h"
#include "services/dispatcher/domain/amend_flow.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/diagnosis_flow.h"
#include "services/dispatcher/domain/dispatch_loop.h"
#include "services/dispatcher/domain/grant_flow.h"
#include "services/dispatcher/domain/host_flow.h"
#include "services/dispatcher/domain/operator_flow.h"
#include "services/dispatcher/domain/outbox.h"
#include "services/dispatcher/domain/review_flow.h"
#include "services/dispatcher/domain/settings.h"
#include "services/dispatcher/domain/task_flow.h"
#include "services/dispatcher/domain/task_store.h"

namespace slipway::dispatcher {

// Drives tasks from READY to MERGED. Every operation becomes a command of one thread, which decides
// on what is in memory; its changes are committed with their events, and only then anything leaves:
// replies, grants, calls to other services. Thread-safe. The collaborators must outlive it.
class Dispatcher final {
 public:
  struct Collaborators {
    TaskStore& store;
    Reviewer& reviewer;
    Models& models;
    AgentFleet& fleet;
    base::Clock& clock;
    base::IdGenerator& ids;
    Randomness random;
    Settings settings;
    // False: commands run in RunQueued alone. For simulations that replay.
    bool own_thread = true;
  };

  explicit Dispatcher(Collaborators with);
  ~Dispatcher() {
    Stop();
    StopCarrying();
  }

  // Reads the store and takes up what was under way. Once, before any other call; returns the
  // cursor in the ledger's log.
  absl::StatusOr<std::string> Start();

  // Finishes the commands that are queued and takes no more. Effects may still run until the store
  // has stopped. Idempotent.
  void Stop();
  // Finishes the effects of what is stored. After the store was stopped; idempotent.
  void StopCarrying();

  void SubmitPlan(PlanSpec spec, base::Reply<Run> reply);
  void AmendPlan(PlanAmendment amendment, bool validate_only, base::Reply<Run> reply);
  void CancelRun(std::string plan, std::string reason, base::Reply<Run> reply);
  void RetryTask(TaskKey key, std::string guidance, std::string actor, base::Reply<Task> reply);
  void CancelTask(TaskKey key, base::Reply<Task> reply);
  void ResolveCheckpoint(CheckpointKey key, Decision decision, std::string guidance,
                         std::string actor, base::Reply<Resolution> reply);
  void Pause(std::string scope, bool stop_agents, std::string reason, std::string actor,
             base::Reply<int> reply);
  void Resume(std::string scope, std::string actor, base::Reply<int> reply);
  void ListHosts(base::Reply<std::vector<HostStatus>> reply);
  void CordonHost(std::string host, std::string reason, std::string actor,
                  base::Reply<HostStatus> reply);
  void UncordonHost(std::string host, std::string actor, base::Reply<HostStatus> reply);
  void DrainHost(std::string host, absl::Duration patience, std::string reason, std::string actor,
                 base::Reply<HostStatus> reply);

  // The kill switch is a pause of everything by nobody: it ends only what it began.
  void SetKillSwitch(bool on);

  // A plan's branch went from one commit to another without a merge: new work begins there. Repeats
  // and what has been overtaken by a merge change nothing.
  void BranchReturned(std::string plan, std::string from, std::string to);

  // What was read from the ledger's log up to `cursor`: `raised` names the scopes with more room
  // than before, `cost_usd_nanos` is what calls cost, by project.
  void LedgerChanged(std::vector<std::string> raised, std::map<std::string, int64_t> cost_usd_nanos,
                     std::string cursor);

  // Why the task, or tasks of the plan, wait for an agent. Of the core's last decision, which may
  // not be stored yet.
  const WaitNotes& waits() const { return notes_; }

  void OnHello(std::shared_ptr<AgentSession> session, AgentHello hello, bool process);
  void OnSessionEnded(std::shared_ptr<AgentSession> session);
  void OnGrantAnswer(std::shared_ptr<AgentSession> session, AttemptKey key, bool accepted,
                     std::string reason);
  void OnBeat(std::shared_ptr<AgentSession> session, AgentBeat beat);
  void OnProgress(std::shared_ptr<AgentSession> session, AttemptKey key, std::string phase,
                  std::string detail);
  // Like SubmitResult, but the receipt goes to the session.
  void OnResult(std::shared_ptr<AgentSession> session, AgentIdentity caller, AgentResult result);
  void SubmitResult(AgentIdentity caller, AttemptKey key, AttemptResult result,
                    base::Reply<Receipt> reply);
  void SnapshotCommit(AgentIdentity caller, AttemptKey key, base::Reply<std::string> reply);
  void OnAgentExited(std::string agent, std::string problem);
  // The driver lost a host (`problem` says how), or has it again (empty).
  void OnHostReach(std::string host, std::string problem);

  // Runs the commands that are queued; returns whether there were any. Only without own_thread.
  bool RunQueued() { return loop_.RunQueued(); }

  // What is in memory and not in the store, as text: for explorations, which tell states apart by
  // it. Only without own_thread.
  std::string DescribeMemory() const {
    return grants_.DescribeMemory() + review_.DescribeMemory() + diagnoses_.DescribeMemory();
  }

  size_t queue_size() const { return loop_.size(); }

 private:
  template <typename T, typename Operation>
  void Ask(base::Reply<T> reply, Operation operation);
  template <typename T>
  void AnswerLater(base::Reply<T> reply, absl::StatusOr<T> result);

  void ArmTick();
  void Tick();
  void Finish();
  void SendSettled();
  bool WaitsForStore();
  // Does what was decided, on any thread.
  void Carry(std::vector<Outbox::Effect> effects);
  void CarryStored(std::vector<Outbox::Effect> effects);
  void Publish();

  TaskStore& store_;
  Models& models_;
  Reviewer& reviewer_;
  base::Clock& clock_;
  const Settings settings_;
  const bool own_thread_;
  Outbox outbox_;
  WaitNotes notes_;
  Board board_;
  TaskFlow tasks_;
  OperatorFlow operator_;
  AmendFlow amend_;
  DispatchLoop carrier_;  // Does what was decided, once it is stored.
  DispatchLoop loop_;
  ReviewFlow review_;
  DiagnosisFlow diagnoses_;
  GrantFlow grants_;
  HostFlow hosts_;
  std::atomic<int> commits_under_way_ = 0;
  std::atomic<bool> finish_due_ = false;  // A batch waits for the end of a commit.
  std::atomic<bool> stopping_ = false;    // Nothing waits any more.
  std::atomic<bool> tick_queued_ = false;
  int ticks_ = 0;

  base::Mutex timer_mutex_;
  std::unique_ptr<base::Timer> timer_ ABSL_GUARDED_BY(timer_mutex_);
  bool stopped_ ABSL_GUARDED_BY(timer_mutex_) = false;
};

}  // namespace slipway::dispatcher
