#include "services/dispatcher/domain/grant_flow.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/metrics/metrics.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/retry_policy.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;

metrics::Counter grants({.name = "slipway_dispatcher_grants_total",
                         .description = "Grants offered to agents.",
                         .labels = {"kind"}});
metrics::Counter leases_expired({.name = "slipway_dispatcher_lease_expiries_total",
                                 .description = "Attempts whose agent vanished."});

// What the role of an attempt is chosen by, besides the plan's words.
ValidationNeed NeedOf(const Task& task, const RunPolicy& policy) {
  if (task.spec.critical) return ValidationNeed::kStrict;
  return policy.validators.empty() ? ValidationNeed::kNone : ValidationNeed::kTests;
}

int FailuresOf(const Task& task) {
  const auto found = task.progress.retries.find(std::string(Name(RetryClass::kAgent)));
  return found == task.progress.retries.end() ? 0 : found->second;
}

TaskSpec WithRole(TaskSpec spec, const std::string& role) {
  if (!role.empty()) spec.role = role;
  return spec;
}

}  // namespace

GrantFlow::GrantFlow(Collaborators with)
    : store_(with.store),
      board_(with.board),
      tasks_(with.tasks),
      outbox_(with.outbox),
      models_(with.models),
      fleet_(with.fleet),
      clock_(with.clock),
      ids_(with.ids),
      settings_(with.settings),
      post_(std::move(with.post)),
      notes_(with.notes),
      roster_(with.settings),
      schedule_(settings_.scheduling),
      death_watch_(with.settings.lease_timeout) {
  tasks_.set_on_released([this](Attempt& attempt) { OnReleased(attempt); });
}

void GrantFlow::Restore() {
  const std::set<AttemptKey> live = board_.live_attempts();
  for (const AttemptKey& key : live) {
    Attempt& attempt = *board_.FindAttempt(key);
    if (attempt.state == AttemptState::kOffered || roster_.IsProcessHost(attempt.host)) {
      Withdraw(attempt, "DISPATCHER_RESTARTED", "the dispatcher started again");
      continue;
    }
    const absl::Duration now = clock_.Elapsed();
    const Task& task = *board_.FindTask(key.task);
    leases_[key] = {.offer_deadline = absl::InfiniteDuration(),
                    .lease_deadline = now + settings_.lease_timeout + kReattachGrace,
                    .hard_deadline = now + TimeoutOf(task, attempt.kind),
                    .heard = now,
                    .taken_up = true};
    if (attempt.kind == GrantKind::kWork) NoteActivity(leases_[key]);
  }
  // Who waits now waited before.
  Sync(clock_.Elapsed());
  schedule_.shares().EndRestore();
}

absl::Duration GrantFlow::TimeoutOf(const Task& task, GrantKind kind) {
  if (kind == GrantKind::kValidate && task.progress.candidate.has_value()) {
    absl::Duration total = kValidateOverhead;
    for (const Validator& validator : task.progress.candidate->validators) {
      const bool set = validator.run_timeout > absl::ZeroDuration();
      total += set ? validator.run_timeout : kValidatorTimeoutDefault;
    }
    return std::min(total, kAttemptTimeoutMax);
  }
  if (task.spec.attempt_timeout > absl::ZeroDuration()) return task.spec.attempt_timeout;
  return board_.RunOf(task.key).policy.attempt_timeout;
}

bool GrantFlow::IsDue(const Task& task) {
  if (!task.resume_time.has_value()) return true;
  const absl::Duration now = clock_.Elapsed();
  const auto [wait, is_new] = waits_.try_emplace(task.key);
  if (is_new || wait->second.resume_time != *task.resume_time) {
    absl::Duration left = std::max(absl::ZeroDuration(), *task.resume_time - clock_.Now());
    // Set by a clock that has been set back since: how long our own waits are is known.
    if (task.state != kPaused) {
      left = std::min(left, LongestWait(task.progress.retries, settings_.backoff_initial));
    }
    if (task.state == kPaused && task.reason == "budget") left = std::min(left, kBudgetRecheck);
    wait->second = {.resume_time = *task.resume_time, .deadline = now + left};
  }
  return wait->second.deadline <= now;
}

void GrantFlow::ForgetWaits() {
  std::erase_if(waits_, [this](const auto& entry) {
    const Task* const task = board_.FindTask(entry.first);
    return task == nullptr || task->resume_time != entry.second.resume_time;
  });
}

void GrantFlow::Grant(Task& task, Agent& agent) {
  const bool validates = task.state == kValidating;
  ++task.epoch;
  task.progress.last_host = agent.host;
  board_.Touch(task);
  Attempt attempt{.key = task.attempt(),
                  .kind = validates ? GrantKind::kValidate : GrantKind::kWork,
                  .host = agent.host,
                  .agent = agent.id,
                  .commit = validates ? task.progress.candidate.value_or(Candidate()).commit
                                      : board_.RunOf(task.key).tip,
                  .start_time = clock_.Now(),
                  .key_open = !validates};
  if (!validates) attempt.feedback = task.progress.feedback;
  const AttemptKey key = attempt.key;
  board_.AddAttempt(attempt);
  roster_.SetState(agent, AgentState::kBusy);
  agent.attempt = key;
  const absl::Duration timeout = TimeoutOf(task, attempt.kind);
  leases_[key] = {.commit = outbox_.commit(),
                  .offer_deadline = clock_.Elapsed() + kOfferTimeout,
                  .lease_deadline = absl::InfiniteDuration(),
                  .hard_deadline = clock_.Elapsed() + timeout};
  grants.Increment({Name(attempt.kind)});
  if (validates) return SendOffer(task, attempt, IssuedKey());
  const bool own_limit = task.spec.limit_usd_nanos > 0;
  KeyRequest request{.attempt = key,
                     .role = task.spec.role,
                     .intent = task.spec.intent,
                     .complexity = task.spec.complexity,
                     .validation_need = NeedOf(task, board_.RunOf(task.key).policy),
                     .failures = FailuresOf(task),
                     .lifetime = timeout + kKeyLifetimeExtra,
                     .limit_usd_nanos = own_limit
                                            ? task.spec.limit_usd_nanos
                                            : board_.RunOf(task.key).policy.task_limit_usd_nanos};
  Outbox::Effect issue = [this, key, request = std::move(request)] {
    models_.IssueKey(request, [this, key](absl::StatusOr<IssuedKey> issued) {
      post_([this, key, issued = std::move(issued)] { OnKeyIssued(key, issued); });
    });
  };
  // While the grant is stored, as a key that nobody is told opens nothing. But only when the next
  // grant would be one to work again if it were not stored, which has the key replaced and revoked
  // in its time (docs/adr/0016).
  const bool early = outbox_.IsStored(task.work_next_commit);
  early ? outbox_.AddSettled(std::move(issue)) : outbox_.Add(std::move(issue));
}

void GrantFlow::OnKeyIssued(const AttemptKey& key, const absl::StatusOr<IssuedKey>& issued) {
  Attempt* const attempt = board_.FindAttempt(key);
  if (attempt == nullptr || attempt->state != AttemptState::kOffered) return RevokeKeys(key);
  Task& task = *board_.FindTask(key.task);
  if (issued.ok()) return SendOffer(task, *attempt, *issued);
  const std::string reason = base::ReasonOf(issued.status());
  const std::string detail = std::string(issued.status().message());
  const bool hopeless = issued.status().code() == absl::StatusCode::kInvalidArgument ||
                        issued.status().code() == absl::StatusCode::kFailedPrecondition;
  // The agent has seen nothing of it and can take the next grant.
  Agent* const agent = roster_.Find(attempt->agent);
  if (agent != nullptr) {
    agent->attempt.reset();
    roster_.SetState(*agent, AgentState::kIdle);
  }
  tasks_.EndAttempt(*attempt, AttemptCommand::kRevoke, AttemptState::kRevoked, "KEY_REFUSED",
                    detail);
  if (!hopeless) return tasks_.Requeue(task, "infrastructure", detail);
  tasks_.Ask(task, "GRANT_FAILED",
             absl::StrCat("No key for models could be made (", reason, "): ", detail));
}

void GrantFlow::SendOffer(const Task& task, const Attempt& attempt, const IssuedKey& key) {
  GrantOffer offer{.attempt = attempt.key,
                   .attempt_timeout = TimeoutOf(task, attempt.kind),
                   .commit = attempt.commit};
  if (attempt.kind == GrantKind::kWork) {
    const RunPolicy& policy = board_.RunOf(task.key).policy;
    offer.work = WorkOffer{
        .spec = WithRole(task.spec, key.role),
        .feedback = attempt.feedback,
        .guidance = task.progress.guidance,
        .model_key = key.key,
        .model_proxy = key.proxy_address,
        .validators = policy.skip_agent_checks ? std::vector<Validator>() : policy.validators};
  } else {
    const Candidate candidate = task.progress.candidate.value_or(Candidate());
    offer.work = ValidateOffer{.validators = candidate.validators,
                               .validator_digest = candidate.validator_digest,
                               .tree = candidate.tree};
  }
  if (Outbox::Effect effect = ToSend(attempt.agent, std::move(offer))) {
    outbox_.AddAfter(leases_[attempt.key].commit, std::move(effect));
  }
}

Outbox::Effect GrantFlow::ToSend(const std::string& agent_id, AgentOrder order) {
  const Agent* const agent = roster_.Find(agent_id);
  if (agent == nullptr || agent->session == nullptr) return nullptr;
  return [session = agent->session, order = std::move(order)]() mutable {
    session->Send(std::move(order));
  };
}

void GrantFlow::Send(const std::string& agent, AgentOrder order) {
  if (Outbox::Effect effect = ToSend(agent, std::move(order))) outbox_.Add(std::move(effect));
}

bool GrantFlow::Take(Attempt& attempt) {
  if (attempt.state != AttemptState::kOffered) return attempt.state == AttemptState::kActive;
  Task& task = *board_.FindTask(attempt.key.task);
  board_.Move(attempt, AttemptCommand::kTake, AttemptState::kActive);
  if (attempt.kind == GrantKind::kWork) board_.Move(task, TaskCommand::kTake, kRunning);
  Lease& lease = leases_[attempt.key];
  lease.offer_deadline = absl::InfiniteDuration();
  lease.heard = clock_.Elapsed();
  lease.lease_deadline = lease.heard + settings_.lease_timeout;
  lease.hard_deadline = clock_.Elapsed() + TimeoutOf(task, attempt.kind);
  // Validators have limits of their own.
  if (attempt.kind == GrantKind::kWork) NoteActivity(lease);
  return true;
}

bool GrantFlow::Renew(const AttemptKey& key, const std::string& agent) {
  Attempt* const attempt = board_.FindAttempt(key);
  if (attempt == nullptr || !IsLive(attempt->state) || attempt->agent != agent) return false;
  if (!Take(*attempt)) return false;
  Lease& lease = leases_[key];
  lease.heard = clock_.Elapsed();
  lease.lease_deadline = lease.heard + settings_.lease_timeout;
  lease.taken_up = false;
  return true;
}

void GrantFlow::Withdraw(Attempt& attempt, const std::string& reason, const std::string& detail) {
  Task& task = *board_.FindTask(attempt.key.task);
  const bool lost = attempt.state == AttemptState::kActive;
  tasks_.EndAttempt(attempt, lost ? AttemptCommand::kLose : AttemptCommand::kRevoke,
                    lost ? AttemptState::kLost : AttemptState::kRevoked, reason, detail);
  if (lost && task.state == kRunning) tasks_.Requeue(task, "infrastructure", detail);
}

void GrantFlow::Lose(Attempt& attempt, const std::string& reason, const std::string& detail) {
  leases_expired.Increment();
  Task& task = *board_.FindTask(attempt.key.task);
  const bool validates = attempt.kind == GrantKind::kValidate;
  const std::string died_on = DeathHost(attempt);
  tasks_.EndAttempt(attempt, AttemptCommand::kLose, AttemptState::kLost, reason, detail);
  const Fault fault{.retry_class = RetryClass::kInfrastructure,
                    .reason = reason,
                    .detail = detail,
                    .died_on = died_on};
  if (validates) return tasks_.FailValidation(task, fault);
  tasks_.Fail(task, fault);
}

void GrantFlow::TimeOut(Attempt& attempt) {
  Task& task = *board_.FindTask(attempt.key.task);
  const bool validates = attempt.kind == GrantKind::kValidate;
  const std::string detail = "the attempt ran out of time";
  tasks_.EndAttempt(attempt, AttemptCommand::kFail, AttemptState::kFailed, "TIMEOUT", detail);
  if (validates) return tasks_.FailValidation(task, {.reason = "TIMEOUT", .detail = detail});
  tasks_.Fail(task, {.retry_class = RetryClass::kAgent,
                     .reason = "TIMEOUT",
                     .detail = detail,
                     .feedback = absl::StrCat(detail, "; make a smaller step")});
}

void GrantFlow::OnReleased(Attempt& attempt) {
  leases_.erase(attempt.key);
  if (attempt.key_open) RevokeKeys(attempt.key);
  Agent* const agent = roster_.Find(attempt.agent);
  if (agent == nullptr || agent->attempt != attempt.key) return;
  agent->attempt.reset();
  roster_.SetState(*agent, AgentState::kSpent);
  if (!attempt.has_result) {
    // A repeated Welcome tells at once what the answer to the next beat would.
    Greet(agent->id, {{.attempt = attempt.key, .keep = false}});
  }
  if (!agent->process) return;
  // A child process serves one attempt.
  outbox_.Add([this, id = agent->id] { fleet_.Retire(id); });
}

void GrantFlow::RevokeKeys(const AttemptKey& key) {
  outbox_.Add([this, key] {
    models_.RevokeKeys(key, [this, key](absl::Status status) {
      if (!status.ok()) return;  // Tried again by CheckRevokedKeys.
      post_([this, key] {
        Attempt* const attempt = board_.FindAttempt(key);
        if (attempt == nullptr || !attempt->key_open || IsLive(attempt->state)) return;
        attempt->key_open = false;
        board_.Touch(*attempt);
      });
    });
  });
}

void GrantFlow::RevokeOpenKeys() {
  for (const AttemptKey& key : board_.OpenKeys()) RevokeKeys(key);
}

std::string GrantFlow::DescribeMemory() const {
  const absl::Duration now = clock_.Elapsed();
  std::string text;
  for (const auto& [id, agent] : roster_.agents()) {
    absl::StrAppend(&text, id, " ", static_cast<int>(agent.state), agent.session != nullptr, " ",
                    agent.attempt.has_value() ? agent.attempt->Name() : "", "\n");
  }
  const std::map<AttemptKey, Lease> in_order(leases_.begin(), leases_.end());
  for (const auto& [key, lease] : in_order) {
    absl::StrAppend(&text, key.Name(), " ", absl::FormatDuration(lease.offer_deadline - now), " ",
                    absl::FormatDuration(lease.lease_deadline - now), "\n");
  }
  for (const auto& [key, wait] : waits_) {
    absl::StrAppend(&text, key.Name(), " waits ", absl::FormatDuration(wait.deadline - now), "\n");
  }
  return text;
}

}  // namespace slipway::dispatcher
