#include "services/dispatcher/domain/dispatcher.h"

#include "lib/base/status_macros.h"
#include "lib/metrics/metrics.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/plan_graph.h"

namespace slipway::dispatcher {
namespace {

constexpr char kKillSwitchActor[] = "kill switch";

// About a minute of ticks: keys whose revocation was not confirmed are tried again.
constexpr int kTicksPerSweep = 600;
// One that is synced, one that is written, and one that waits for it.
constexpr int kCommitsUnderWayMax = 3;

// About a second.
constexpr int kTicksPerMeasurement = 10;

metrics::Gauge tasks_by_state({.name = "slipway_dispatcher_tasks",
                               .description = "Tasks of runs under way, by state.",
                               .labels = {"state"}});
metrics::Gauge steps_under_way({.name = "slipway_dispatcher_steps_under_way",
                                .description = "Steps of the review under way."});
metrics::Gauge live_attempts({.name = "slipway_dispatcher_live_attempts",
                              .description = "Attempts that hold an agent."});
metrics::Gauge queue_depth({.name = "slipway_dispatcher_queue_depth",
                            .description = "Commands that wait for the core."});

}  // namespace

Dispatcher::Dispatcher(Collaborators with)
    : store_(with.store),
      models_(with.models),
      reviewer_(with.reviewer),
      clock_(with.clock),
      settings_(std::move(with.settings)),
      own_thread_(with.own_thread),
      board_(clock_),
      tasks_(board_, settings_, clock_, with.random),
      operator_(board_, tasks_, clock_),
      amend_(board_, tasks_, clock_),
      review_(board_, tasks_, outbox_, with.reviewer, clock_, with.random,
              [this](auto command) { loop_.Post(std::move(command)); }),
      diagnoses_(board_, outbox_, with.reviewer, clock_, with.random,
                 [this](auto command) { loop_.Post(std::move(command)); }),
      grants_({.store = store_,
               .board = board_,
               .tasks = tasks_,
               .outbox = outbox_,
               .models = with.models,
               .fleet = with.fleet,
               .clock = clock_,
               .ids = with.ids,
               .settings = settings_,
               .notes = notes_,
               .post = [this](auto command) { loop_.Post(std::move(command)); }}),
      hosts_({.board = board_,
              .tasks = tasks_,
              .roster = grants_.roster(),
              .outbox = outbox_,
              .fleet = with.fleet,
              .clock = clock_,
              .ids = with.ids,
              .settings = settings_}) {}

absl::StatusOr<std::string> Dispatcher::Start() {
  ASSIGN_OR_RETURN(Snapshot snapshot, store_.Load());
  const std::string cursor = snapshot.ledger_cursor;
  const std::vector<StartIntent> starts = std::move(snapshot.starts);
  const std::vector<HostOrder> orders = std::move(snapshot.host_orders);
  grants_.RestoreUsage(snapshot.usage);
  board_.Restore(std::move(snapshot));
  // Before agents can dial: those of containers have been running on.
  hosts_.Restore(starts, orders);
  carrier_.Start(
      [this] {
        models_.Flush();
        reviewer_.Flush();
      },
      own_thread_);
  loop_.Start([this] { Finish(); }, own_thread_);
  loop_.Post([this] {
    board_.StoreLeaseTimeout(settings_.lease_timeout);
    board_.StoreRules(RulesOf(settings_));
    grants_.Restore();
    grants_.RevokeOpenKeys();
  });
  ArmTick();
  return cursor;
}

void Dispatcher::Stop() {
  std::unique_ptr<base::Timer> timer;
  {
    base::MutexLock lock(timer_mutex_);
    stopped_ = true;
    timer = std::move(timer_);
  }
  timer.reset();
  stopping_ = true;
  loop_.Post([this] { hosts_.ReleaseIdle(); });
  loop_.Stop();
}

void Dispatcher::StopCarrying() { carrier_.Stop(); }

void Dispatcher::ArmTick() {
  base::MutexLock lock(timer_mutex_);
  if (stopped_) return;
  timer_ = clock_.RunAfter(kTickInterval, [this] {
    if (!tick_queued_.exchange(true)) loop_.Post([this] { Tick(); });
  });
}

void Dispatcher::Tick() {
  tick_queued_ = false;
  grants_.CheckDeadlines();
  hosts_.CheckHosts();
  if (ticks_ % kTicksPerMeasurement == 0) grants_.MeasureShares();
  if (++ticks_ % kTicksPerSweep == 0) {
    grants_.RevokeOpenKeys();
    board_.ForgetEnded();
  }
  Publish();
  ArmTick();
}

void Dispatcher::Publish() {
  for (int state = 1; state <= kTaskStates; ++state) {
    const auto of = static_cast<TaskState>(state);
    tasks_by_state.Set({Name(of)}, static_cast<double>(board_.CountIn(of)));
  }
  steps_under_way.Set(static_cast<double>(review_.steps_under_way()));
  live_attempts.Set(static_cast<double>(board_.live_attempts().size()));
  queue_depth.Set(static_cast<double>(loop_.size()));
}

// Commands that come while the store is busy are decided on together: what they change could not be
// on disk any sooner, and everything that is done once for a batch is done once for all of them.
bool Dispatcher::WaitsForStore() {
  finish_due_ = true;
  if (!stopping_ && commits_under_way_ >= kCommitsUnderWayMax) return true;
  finish_due_ = false;
  return false;
}

// At once when nothing else is to be decided, so that what comes alone changes hands once less.
void Dispatcher::SendSettled() {
  std::vector<Outbox::Effect> settled = outbox_.TakeSettled();
  if (loop_.size() > 0) return Carry(std::move(settled));
  for (Outbox::Effect& effect : settled) std::move(effect)();
}

void Dispatcher::Finish() {
  SendSettled();
  if (WaitsForStore()) return;
  tasks_.EndAnsweredPatterns();
  review_.Drive();
  diagnoses_.Drive();
  hosts_.Scale(grants_.Schedule());
  Carry(outbox_.TakeSettled());
  ChangeSet changes = board_.TakeChanges(outbox_.commit());
  const bool unchanged = changes.empty();
  if (unchanged && outbox_.empty()) return;
  std::vector<Outbox::Effect> effects = outbox_.Take();
  if (unchanged && commits_under_way_ == 0) return Carry(std::move(effects));
  ++commits_under_way_;
  store_.Commit(std::move(changes), [this, effects = std::move(effects)]() mutable {
    CarryStored(std::move(effects));
    --commits_under_way_;
    if (finish_due_.exchange(false)) loop_.Post([] {});
  });
}

// On a thread of its own, so that the next commit does not wait for messages to be sent; in the
// order of the decisions.
void Dispatcher::Carry(std::vector<Outbox::Effect> effects) {
  if (effects.empty()) return;
  carrier_.Post([effects = std::move(effects)]() mutable {
    for (Outbox::Effect& effect : effects) std::move(effect)();
  });
  if (!own_thread_) carrier_.RunQueued();
}

// By the thread that stored them when no other commit waits for it. Never by the core's: what it
// allows may start processes.
void Dispatcher::CarryStored(std::vector<Outbox::Effect> effects) {
  if (!own_thread_ || commits_under_way_ > 1 || loop_.size() > 0) return Carry(std::move(effects));
  if (effects.empty()) return;
  carrier_.PostOrRun([effects = std::move(effects)]() mutable {
    for (Outbox::Effect& effect : effects) std::move(effect)();
  });
}

template <typename T>
void Dispatcher::AnswerLater(base::Reply<T> reply, absl::StatusOr<T> result) {
  outbox_.Add([reply = std::move(reply), result = std::move(result)]() mutable {
    std::move(reply)(std::move(result));
  });
}

template <typename T, typename Operation>
void Dispatcher::Ask(base::Reply<T> reply, Operation operation) {
  auto shared = std::make_shared<base::Reply<T>>(std::move(reply));
  const bool queued = loop_.TryPost([this, shared, operation = std::move(operation)]() mutable {
    AnswerLater<T>(std::move(*shared), operation());
  });
  if (!queued) std::move (*shared)(QueueFull());
}

void Dispatcher::SubmitPlan(PlanSpec spec, base::Reply<Run> reply) {
  if (const absl::Status status = CheckPlan(spec); !status.ok()) return std::move(reply)(status);
  Ask<Run>(std::move(reply), [this, spec = std::move(spec)] { return operator_.SubmitPlan(spec); });
}

void Dispatcher::AmendPlan(PlanAmendment amendment, bool validate_only, base::Reply<Run> reply) {
  Ask<Run>(std::move(reply),
           [this, amendment = std::move(amendment), validate_only]() -> absl::StatusOr<Run> {
             ASSIGN_OR_RETURN(Run run, amend_.Amend(amendment, validate_only));
             grants_.ForgetPaths(amendment.plan);
             return run;
           });
}

void Dispatcher::CancelRun(std::string plan, std::string reason, base::Reply<Run> reply) {
  Ask<Run>(std::move(reply), [this, plan = std::move(plan), reason = std::move(reason)] {
    return operator_.CancelRun(plan, reason);
  });
}

void Dispatcher::RetryTask(TaskKey key, std::string guidance, std::string actor,
                           base::Reply<Task> reply) {
  Ask<Task>(std::move(reply),
            [this, key = std::move(key), guidance = std::move(guidance), actor = std::move(actor)] {
              return operator_.RetryTask(key, guidance, actor);
            });
}

void Dispatcher::CancelTask(TaskKey key, base::Reply<Task> reply) {
  Ask<Task>(std::move(reply), [this, key = std::move(key)] { return operator_.CancelTask(key); });
}

void Dispatcher::ResolveCheckpoint(CheckpointKey key, Decision decision, std::string guidance,
                                   std::string actor, base::Reply<Resolution> reply) {
  Ask<Resolution>(std::move(reply), [this, key = std::move(key), decision,
                                     guidance = std::move(guidance), actor = std::move(actor)] {
    return operator_.Resolve(key, decision, guidance, actor);
  });
}

void Dispatcher::Pause(std::string scope, bool stop_agents, std::string reason, std::string actor,
                       base::Reply<int> reply) {
  Ask<int>(std::move(reply), [this, scope = std::move(scope), stop_agents,
                              reason = std::move(reason), actor = std::move(actor)] {
    return operator_.Pause(scope, stop_agents, reason, actor);
  });
}

void Dispatcher::Resume(std::string scope, std::string actor, base::Reply<int> reply) {
  Ask<int>(std::move(reply), [this, scope = std::move(scope), actor = std::move(actor)] {
    return operator_.Resume(scope, actor);
  });
}

void Dispatcher::ListHosts(base::Reply<std::vector<HostStatus>> reply) {
  Ask<std::vector<HostStatus>>(
      std::move(reply),
      [this]() -> absl::StatusOr<std::vector<HostStatus>> { return hosts_.List(); });
}

void Dispatcher::CordonHost(std::string host, std::string reason, std::string actor,
                            base::Reply<HostStatus> reply) {
  Ask<HostStatus>(std::move(reply),
                  [this, host = std::move(host), reason = std::move(reason),
                   actor = std::move(actor)] { return hosts_.Cordon(host, reason, actor); });
}

void Dispatcher::UncordonHost(std::string host, std::string actor, base::Reply<HostStatus> reply) {
  Ask<HostStatus>(std::move(reply), [this, host = std::move(host), actor = std::move(actor)] {
    return hosts_.Uncordon(host, actor);
  });
}

void Dispatcher::DrainHost(std::string host, absl::Duration patience, std::string reason,
                           std::string actor, base::Reply<HostStatus> reply) {
  Ask<HostStatus>(std::move(reply), [this, host = std::move(host), patience,
                                     reason = std::move(reason), actor = std::move(actor)] {
    return hosts_.Drain(host, patience, reason, actor);
  });
}

void Dispatcher::SetKillSwitch(bool on) {
  loop_.Post([this, on] {
    const auto pause = board_.pauses().find(kEverything);
    const bool paused = pause != board_.pauses().end();
    if (on && !paused) {
      operator_
          .Pause(kEverything, /*stop_agents=*/true, "the kill switch file exists", kKillSwitchActor)
          .IgnoreError();
    } else if (!on && paused && pause->second.actor == kKillSwitchActor) {
      operator_.Resume(kEverything, kKillSwitchActor).IgnoreError();
    }
  });
}

void Dispatcher::BranchReturned(std::string plan, std::string from, std::string to) {
  loop_.Post([this, plan = std::move(plan), from = std::move(from), to = std::move(to)] {
    tasks_.NoteReturn(plan, from, to);
  });
}

void Dispatcher::LedgerChanged(std::vector<std::string> raised,
                               std::map<std::string, int64_t> cost_usd_nanos, std::string cursor) {
  loop_.Post([this, raised = std::move(raised), cost_usd_nanos = std::move(cost_usd_nanos),
              cursor = std::move(cursor)] {
    for (const std::string& scope : raised) operator_.BudgetRaised(scope);
    grants_.AddCosts(cost_usd_nanos);
    board_.StoreLedgerCursor(cursor);
  });
}

void Dispatcher::OnHello(std::shared_ptr<AgentSession> session, AgentHello hello, bool process) {
  loop_.Post([this, session = std::move(session), hello = std::move(hello), process] {
    grants_.OnHello(session, hello, process);
  });
}

void Dispatcher::OnSessionEnded(std::shared_ptr<AgentSession> session) {
  loop_.Post([this, session = std::move(session)] { grants_.OnSessionEnded(session.get()); });
}

void Dispatcher::OnGrantAnswer(std::shared_ptr<AgentSession> session, AttemptKey key, bool accepted,
                               std::string reason) {
  loop_.Post([this, session = std::move(session), key = std::move(key), accepted,
              reason = std::move(reason)] {
    grants_.OnGrantAnswer(session.get(), key, accepted, reason);
  });
}

void Dispatcher::OnBeat(std::shared_ptr<AgentSession> session, AgentBeat beat) {
  loop_.Post([this, session = std::move(session), beat = std::move(beat)] {
    grants_.OnBeat(session.get(), beat);
  });
}

void Dispatcher::OnProgress(std::shared_ptr<AgentSession> session, AttemptKey key,
                            std::string phase, std::string detail) {
  loop_.Post(
      [this, session = std::move(session), key = std::move(key), phase = std::move(phase),
       detail = std::move(detail)] { grants_.OnProgress(session.get(), key, phase, detail); });
}

void Dispatcher::SubmitResult(AgentIdentity caller, AttemptKey key, AttemptResult result,
                              base::Reply<Receipt> reply) {
  Ask<Receipt>(std::move(reply), [this, caller = std::move(caller), key = std::move(key),
                                  result = std::move(result)]() mutable {
    return grants_.OnResult(caller, key, std::move(result));
  });
}

void Dispatcher::OnResult(std::shared_ptr<AgentSession> session, AgentIdentity caller,
                          AgentResult result) {
  const AttemptKey key = result.attempt;
  const bool queued = loop_.TryPost([this, session, caller = std::move(caller),
                                     result = std::move(result)]() mutable {
    const AttemptKey& attempt = result.attempt;
    absl::StatusOr<Receipt> receipt = grants_.OnResult(caller, attempt, std::move(result.result));
    if (result.ready && receipt.ok()) grants_.OnReady(session.get());
    outbox_.Add([session, order = ResultReceipt{attempt, std::move(receipt)}]() mutable {
      session->Send(std::move(order));
    });
  });
  if (!queued) session->Send(ResultReceipt{key, QueueFull()});
}

void Dispatcher::SnapshotCommit(AgentIdentity caller, AttemptKey key,
                                base::Reply<std::string> reply) {
  Ask<std::string>(std::move(reply), [this, caller = std::move(caller), key = std::move(key)] {
    return grants_.SnapshotCommit(caller, key);
  });
}

void Dispatcher::OnAgentExited(std::string agent, std::string problem) {
  loop_.Post([this, agent = std::move(agent), problem = std::move(problem)] {
    grants_.OnAgentExited(agent, problem);
    hosts_.OnAgentExited(agent);
  });
}

void Dispatcher::OnHostReach(std::string host, std::string problem) {
  loop_.Post([this, host = std::move(host), problem = std::move(problem)] {
    hosts_.OnHostReach(host, problem);
  });
}

}  // namespace slipway::dispatcher
