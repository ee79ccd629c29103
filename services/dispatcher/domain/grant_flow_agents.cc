// What agents say: the rest of GrantFlow.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/domain/grant_flow.h"
#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;

// Beyond it an attempt's progress is in its log only.
constexpr int kProgressEventsMax = 200;

metrics::Counter stale_refused({.name = "slipway_dispatcher_stale_refused_total",
                                .description = "Messages of fenced attempts.",
                                .labels = {"message"}});

metrics::Counter stalls({.name = "slipway_dispatcher_stalls_total",
                         .description = "Attempts of which nothing was observed for long.",
                         .labels = {"step"}});

// Of a beat, while the agent runs the validators of its grant.
constexpr char kCheckPhase[] = "check";

bool IsOf(const Attempt& attempt, const AgentIdentity& caller) {
  return attempt.host == caller.host && (!caller.process() || attempt.agent == caller.agent);
}

}  // namespace

void GrantFlow::OnHello(std::shared_ptr<AgentSession> session, const AgentHello& hello,
                        bool process) {
  Agent* agent = roster_.Find(hello.agent);
  if (agent != nullptr && agent->session != nullptr && agent->boot_nonce > hello.boot_nonce) {
    outbox_.Add([session, id = hello.agent] { session->End(SessionReplaced(id)); });
    return;
  }
  // Whoever started anew left the connection that it had, or is silent on it: who is not, is
  // another.
  const absl::Duration now = clock_.Elapsed();
  const bool idle = agent != nullptr && !agent->attempt.has_value();
  const absl::Duration silence = idle ? IdleBeatInterval(settings_) : settings_.beat_interval;
  if (agent != nullptr && agent->session != nullptr && agent->boot_nonce < hello.boot_nonce &&
      now - agent->heard < 2 * silence) {
    outbox_.Add([session, id = hello.agent] { session->End(AgentConnected(id)); });
    return;
  }
  if (agent == nullptr) {
    agent = &roster_.Add({.id = hello.agent, .host = hello.host, .process = process});
  }
  const bool restarted = agent->boot_nonce != 0 && agent->boot_nonce < hello.boot_nonce;
  if (agent->session != nullptr) {
    outbox_.Add([old = agent->session, id = hello.agent] { old->End(SessionReplaced(id)); });
  }
  if (agent->state == AgentState::kStarting) roster_.NoteStarted(agent->host);
  roster_.SetSession(*agent, session);
  agent->boot_nonce = hello.boot_nonce;
  agent->heard = now;

  std::vector<GrantVerdict> verdicts;
  std::optional<AttemptKey> kept;
  for (const AttemptKey& key : hello.held) {
    const bool keep = Renew(key, hello.agent);
    verdicts.push_back({.attempt = key, .keep = keep});
    if (keep) kept = key;
  }
  DropUnheld(*agent, kept, restarted);
  if (kept.has_value()) agent->attempt = kept;
  const bool holds = agent->attempt.has_value();
  roster_.SetState(*agent, holds ? AgentState::kBusy : AgentState::kIdle);
  Greet(agent->id, std::move(verdicts));
}

void GrantFlow::Greet(const std::string& agent, std::vector<GrantVerdict> verdicts) {
  Send(agent, Welcome{.beat_interval = settings_.beat_interval,
                      .idle_beat_interval = IdleBeatInterval(settings_),
                      .lease_timeout = settings_.lease_timeout,
                      .verdicts = std::move(verdicts)});
}

// What an agent took and does not name any more is given to the next one at once, also when this
// dispatcher knows of it only from its database. An offer may be on its way.
void GrantFlow::DropUnheld(const Agent& agent, const std::optional<AttemptKey>& kept,
                           bool restarted) {
  const std::set<AttemptKey> live = board_.live_attempts();
  for (const AttemptKey& key : live) {
    Attempt& attempt = *board_.FindAttempt(key);
    if (attempt.agent != agent.id || key == kept) continue;
    if (attempt.state == AttemptState::kOffered && !restarted) continue;
    Task& task = *board_.FindTask(key.task);
    const std::string died_on =
        restarted && attempt.state == AttemptState::kActive ? DeathHost(attempt) : "";
    Withdraw(attempt, "AGENT_RESTARTED", "the agent came back without it");
    // Nothing is charged, but a task that ends each agent is not given to agents for ever.
    if (died_on.empty()) continue;
    tasks_.NoteDeath(task, died_on);
  }
}

void GrantFlow::OnSessionEnded(const AgentSession* session) {
  Agent* const agent = roster_.FindBySession(session);
  if (agent == nullptr) return;
  roster_.SetSession(*agent, nullptr);
  if (agent->attempt.has_value()) {
    Attempt* const attempt = board_.FindAttempt(*agent->attempt);
    if (attempt != nullptr && attempt->state == AttemptState::kOffered) {
      Withdraw(*attempt, "AGENT_LEFT", "the agent left before it took the grant");
    }
  }
  // A child process is gone when its exit says so; of others this is all that is ever heard.
  if (!agent->process && !agent->attempt.has_value()) roster_.Remove(std::string(agent->id));
}

void GrantFlow::OnGrantAnswer(const AgentSession* session, const AttemptKey& key, bool accepted,
                              const std::string& reason) {
  const Agent* const agent = roster_.FindBySession(session);
  Attempt* const attempt = board_.FindAttempt(key);
  if (agent == nullptr) return;
  if (attempt == nullptr || !IsLive(attempt->state) || attempt->agent != agent->id) {
    return Greet(agent->id, {{.attempt = key, .keep = false}});
  }
  if (accepted) {
    Take(*attempt);
    return;
  }
  if (attempt->state != AttemptState::kOffered) return;
  Task& task = *board_.FindTask(key.task);
  Withdraw(*attempt, "REFUSED_BY_AGENT", reason);
  tasks_.Requeue(task, "infrastructure", absl::StrCat("the agent refused the grant: ", reason));
}

void GrantFlow::OnBeat(const AgentSession* session, const AgentBeat& beat) {
  Agent* const agent = roster_.FindBySession(session);
  if (agent == nullptr) return;
  agent->heard = clock_.Elapsed();
  BeatAnswer answer{.sequence = beat.sequence};
  for (const AttemptKey& key : beat.held) {
    const bool keep = Renew(key, agent->id);
    if (keep) NoteBeat(leases_[key], beat);
    answer.verdicts.push_back({.attempt = key, .keep = keep});
    if (keep || !stale_reported_.insert(key).second) continue;
    const Task* const task = board_.FindTask(key.task);
    if (task == nullptr) continue;
    stale_refused.Increment({"beat"});
    board_.EmitStale(key, task->epoch, "beat");
  }
  if (beat.held.empty()) OnReady(session);
  Send(agent->id, std::move(answer));
}

// A child process serves one attempt.
void GrantFlow::OnReady(const AgentSession* session) {
  Agent* const agent = roster_.FindBySession(session);
  if (agent == nullptr || agent->process || agent->state != AgentState::kSpent) return;
  roster_.SetState(*agent, AgentState::kIdle);
}

void GrantFlow::OnProgress(const AgentSession* session, const AttemptKey& key,
                           const std::string& phase, const std::string& detail) {
  const Agent* const agent = roster_.FindBySession(session);
  const auto lease = leases_.find(key);
  if (agent == nullptr || agent->attempt != key || lease == leases_.end()) return;
  if (lease->second.progress_events++ >= kProgressEventsMax) return;
  board_.EmitProgress(key, phase, detail);
  if (lease->second.stall_deadline < absl::InfiniteDuration()) NoteActivity(lease->second);
}

void GrantFlow::NoteActivity(Lease& lease) {
  lease.active = clock_.Elapsed();
  lease.stall_deadline = lease.active + settings_.stall_timeout;
  lease.pointed_out = false;
}

void GrantFlow::NoteBeat(Lease& lease, const AgentBeat& beat) {
  if (lease.stall_deadline == absl::InfiniteDuration()) return;
  // While it runs validators of its own these are what limits it.
  const bool is_active =
      beat.activity != lease.activity || beat.phase != lease.phase || beat.phase == kCheckPhase;
  lease.activity = beat.activity;
  lease.phase = beat.phase;
  if (is_active) NoteActivity(lease);
}

// The ladder: pointed out, then stopped and tried again, then a question when that is spent.
void GrantFlow::CheckStall(Attempt& attempt) {
  Lease& lease = leases_[attempt.key];
  const absl::Duration quiet = clock_.Elapsed() - lease.active;
  const std::string detail =
      absl::StrCat("nothing was observed of the attempt for ",
                   absl::FormatDuration(absl::Trunc(quiet, absl::Seconds(1))), " in phase ",
                   lease.phase.empty() ? "unknown" : lease.phase);
  if (!lease.pointed_out) {
    stalls.Increment({"pointed_out"});
    lease.pointed_out = true;
    lease.stall_deadline = clock_.Elapsed() + settings_.stall_grace;
    log::Warning("an attempt may have stalled",
                 {{"attempt", attempt.key.Name()}, {"detail", detail}});
    return board_.EmitProgress(attempt.key, "stall", detail);
  }
  stalls.Increment({"stopped"});
  Task& task = *board_.FindTask(attempt.key.task);
  tasks_.EndAttempt(attempt, AttemptCommand::kFail, AttemptState::kFailed, "STALLED", detail);
  tasks_.Fail(task, {.retry_class = RetryClass::kStall,
                     .reason = "STALLED",
                     .detail = detail,
                     .feedback = absl::StrCat("the attempt was stopped: ", detail,
                                              "; work in smaller steps that show progress")});
}

std::string GrantFlow::DeathHost(const Attempt& attempt) {
  const auto lease = leases_.find(attempt.key);
  // It may have died long ago, with the machine that this dispatcher was stopped on.
  if (lease != leases_.end() && lease->second.taken_up) return "";
  const DeathWatch::Verdict verdict =
      death_watch_.Note(attempt.key.task, attempt.host, clock_.Elapsed());
  for (const TaskKey& key : verdict.exonerated) tasks_.Exonerate(key, attempt.host);
  return verdict.is_shared ? "" : attempt.host;
}

absl::StatusOr<Receipt> GrantFlow::OnResult(const AgentIdentity& caller, const AttemptKey& key,
                                            AttemptResult result) {
  Attempt* const attempt = board_.FindAttempt(key);
  if (attempt == nullptr) return ReceiptOfForgotten(caller, key);
  if (!IsOf(*attempt, caller)) return TokenInvalid();
  if (attempt->has_result) return Receipt::kAccepted;
  Task* const task = board_.FindTask(key.task);
  if (task == nullptr || !IsLive(attempt->state) || task->epoch != key.epoch) {
    return Salvage(*attempt, key, std::move(result));
  }
  const bool is_work = attempt->kind == GrantKind::kWork;
  if (std::holds_alternative<ChangeResult>(result) && !is_work) return ResultMissing();
  if (std::holds_alternative<EvidenceResult>(result) && is_work) return ResultMissing();
  Take(*attempt);  // The answer to the grant may have been lost.
  attempt->has_result = true;
  tasks_.NoteSurvived(*task);
  std::visit([&](auto& value) { Report(*task, *attempt, std::move(value)); }, result);
  return Receipt::kAccepted;
}

// Of an attempt of a run that has ended: the first receipt may have been lost on the way. Reads the
// disk, which an agent makes it do once or twice at the end of a run.
absl::StatusOr<Receipt> GrantFlow::ReceiptOfForgotten(const AgentIdentity& caller,
                                                      const AttemptKey& key) {
  ASSIGN_OR_RETURN(const std::optional<Attempt> attempt, store_.FindAttempt(key));
  if (attempt.has_value() && !IsOf(*attempt, caller)) return TokenInvalid();
  if (attempt.has_value() && attempt->has_result) return Receipt::kAccepted;
  stale_refused.Increment({"report"});
  return Receipt::kStale;
}

Receipt GrantFlow::Salvage(Attempt& attempt, const AttemptKey& key, AttemptResult result) {
  stale_refused.Increment({"report"});
  Task* const task = board_.FindTask(key.task);
  const auto* const change = std::get_if<ChangeResult>(&result);
  if (change != nullptr &&
      Allows(attempt.state, AttemptCommand::kSalvage, AttemptState::kSalvaged)) {
    if (task != nullptr) tasks_.HandOff(*task, attempt, *change);
    board_.StoreResult(key, std::move(result), /*salvage=*/true);
    board_.Move(attempt, AttemptCommand::kSalvage, AttemptState::kSalvaged, attempt.reason,
                attempt.detail);
  }
  board_.EmitStale(key, task == nullptr ? key.epoch : task->epoch, "report");
  return Receipt::kStale;
}

void GrantFlow::Report(Task& task, Attempt& attempt, ChangeResult result) {
  board_.StoreResult(attempt.key, std::move(result), /*salvage=*/false);
  tasks_.EndAttempt(attempt, AttemptCommand::kReport, AttemptState::kReported, "");
  TaskFlow::ClearReview(task);
  task.progress.work_epoch = attempt.key.epoch;
  task.progress.landing = LandsAtOnce(board_.RunOf(task.key).policy);
  board_.Move(task, TaskCommand::kReport, kInspecting);
}

void GrantFlow::Report(Task& task, Attempt& attempt, EvidenceResult result) {
  board_.StoreResult(attempt.key, std::move(result), /*salvage=*/false);
  tasks_.EndAttempt(attempt, AttemptCommand::kReport, AttemptState::kReported, "");
  board_.Touch(task);
}

void GrantFlow::Report(Task& task, Attempt& attempt, FailureResult result) {
  tasks_.EndAttempt(attempt, AttemptCommand::kFail, AttemptState::kFailed, result.reason,
                    result.detail);
  Fault fault{.reason = result.reason, .detail = result.detail};
  switch (result.failure_class) {
    case FailureClass::kInfrastructure:
      fault.retry_class = RetryClass::kInfrastructure;
      break;
    case FailureClass::kProvider:
      fault.retry_class = RetryClass::kProvider;
      break;
    case FailureClass::kAgent:
    case FailureClass::kTimeout:
      fault.retry_class = RetryClass::kAgent;
      fault.feedback = absl::StrCat("the attempt failed (", result.reason, "): ", result.detail);
      break;
  }
  if (attempt.kind == GrantKind::kValidate) return tasks_.FailValidation(task, fault);
  tasks_.Fail(task, fault);
}

void GrantFlow::Report(Task& task, Attempt& attempt, StopResult result) {
  const bool validates = attempt.kind == GrantKind::kValidate;
  tasks_.EndAttempt(attempt, AttemptCommand::kPause, AttemptState::kPaused,
                    result.reason == StopReason::kBudget      ? "budget"
                    : result.reason == StopReason::kRateLimit ? "rate_limit"
                                                              : "told",
                    result.detail);
  if (validates) return tasks_.Requeue(task, "infrastructure", result.detail);
  switch (result.reason) {
    case StopReason::kBudget:
      return tasks_.Pause(task, "budget", result.detail, clock_.Now() + kBudgetRecheck);
    case StopReason::kRateLimit:
      return tasks_.Pause(task, "rate_limit", result.detail,
                          clock_.Now() + result.retry_delay.value_or(kRateLimitDefault));
    case StopReason::kTold:
      return tasks_.Requeue(task, "told", result.detail);
  }
}

void GrantFlow::OnAgentExited(const std::string& id, const std::string& problem) {
  Agent* const agent = roster_.Find(id);
  if (agent == nullptr) return;
  if (agent->state == AgentState::kStarting) {
    roster_.NoteStartFailed(agent->host, problem, clock_.Elapsed());
  }
  const std::optional<AttemptKey> held = agent->attempt;
  roster_.SetSession(*agent, nullptr);
  if (held.has_value()) {
    Attempt* const attempt = board_.FindAttempt(*held);
    if (attempt != nullptr && attempt->state == AttemptState::kActive) {
      Lose(*attempt, "AGENT_ENDED", absl::StrCat("the agent's process ended: ", problem));
    } else if (attempt != nullptr && attempt->state == AttemptState::kOffered) {
      Withdraw(*attempt, "AGENT_ENDED", problem);
    }
  }
  roster_.Remove(id);
}

absl::StatusOr<std::string> GrantFlow::SnapshotCommit(const AgentIdentity& caller,
                                                      const AttemptKey& key) {
  const Attempt* const attempt = board_.FindAttempt(key);
  if (attempt != nullptr && !IsOf(*attempt, caller)) return TokenInvalid();
  if (attempt == nullptr || !IsLive(attempt->state)) return StaleEpoch(key.Name());
  return attempt->commit;
}

void GrantFlow::CheckDeadlines() {
  const absl::Duration now = clock_.Elapsed();
  // Over a copy of those that are due, in the order of their keys: the ends of attempts change the
  // leases.
  std::vector<std::pair<AttemptKey, Lease>> due;
  for (const auto& [key, lease] : leases_) {
    if (std::min({lease.offer_deadline, lease.lease_deadline, lease.hard_deadline,
                  lease.stall_deadline}) <= now) {
      due.emplace_back(key, lease);
    }
  }
  std::sort(due.begin(), due.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [key, lease] : due) {
    Attempt* const attempt = board_.FindAttempt(key);
    if (attempt == nullptr || !IsLive(attempt->state)) continue;
    if (attempt->state == AttemptState::kOffered) {
      if (lease.offer_deadline <= now) {
        Withdraw(*attempt, "OFFER_UNANSWERED", "the agent did not answer the grant");
      }
    } else if (lease.hard_deadline <= now) {
      TimeOut(*attempt);
    } else if (lease.lease_deadline <= now) {
      attempt->silence = now - lease.heard;
      Lose(*attempt, "LEASE_EXPIRED",
           absl::StrCat("the agent said nothing for ",
                        absl::FormatDuration(absl::Trunc(*attempt->silence, absl::Seconds(1)))));
    } else if (lease.stall_deadline <= now) {
      CheckStall(*attempt);
    }
  }
  for (const std::string& id : roster_.Overdue(now)) {
    roster_.NoteStartFailed(roster_.Find(id)->host, "the agent did not connect in time", now);
    outbox_.Add([this, id] { fleet_.Retire(id); });
    roster_.Remove(id);
  }
  ForgetWaits();
  for (Task* const task : board_.TasksIn(kRetryWait)) {
    if (IsDue(*task)) tasks_.Release(*task);
  }
  for (Task* const task : board_.TasksIn(kPaused)) {
    if (task->resume_time.has_value() && IsDue(*task)) tasks_.Resume(*task);
  }
}

}  // namespace slipway::dispatcher
