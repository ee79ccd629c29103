#include "services/planner/domain/starter.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "services/planner/domain/draft_trouble.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/plan_delta.h"

namespace slipway::planner {
namespace {

Event StepEvent(const PlanHead& head, PlanState to, absl::string_view reason,
                const std::string& actor) {
  return PlanStateChanged(absl::StrCat("projects/", head.project), head.name(),
                          {.from = std::string(PlanStateName(head.state)),
                           .to = to,
                           .title = head.title,
                           .reason = std::string(reason),
                           .actor = actor});
}

Event AmendmentEvent(const PlanHead& head, absl::string_view to, absl::string_view detail,
                     const std::string& actor) {
  return PlanAmendmentChanged(absl::StrCat("projects/", head.project), head.name(),
                              {.from = std::string(AmendmentStateName(head.amendment)),
                               .to = std::string(to),
                               .version = head.version,
                               .base_version = head.approved_version,
                               .detail = std::string(detail),
                               .actor = actor});
}

// An amendment has nothing to change any more.
void DropOvertaken(PlanChange& change) {
  change.events.push_back(
      AmendmentEvent(change.head, "OVERTAKEN", "the run has ended", kPlannerActor));
  change.head.DropAmendment();
}

// For the reason that is stored with it.
void RefuseAmendment(PlanChange& change) {
  if (IsFinal(change.head.state)) return DropOvertaken(change);
  change.events.push_back(
      AmendmentEvent(change.head, "REFUSED", change.head.amendment_failure, "dispatcher"));
  change.head.amendment = AmendmentState::kRefused;
}

// Here an error that nobody can explain is worth trying for ever: a person approved the plan. But
// the run does not come back to a version.
bool Passes(const absl::Status& status) {
  if (base::ReasonOf(status) == "VERSION_MISMATCH") return false;
  return ClassifyTrouble(status) == DraftTrouble::kWait ||
         ClassifyTrouble(status) == DraftTrouble::kUnexplained;
}

PlanState EndOf(RunState state) {
  switch (state) {
    case RunState::kSucceeded:
      return PlanState::kCompleted;
    case RunState::kFailed:
      return PlanState::kFailed;
    case RunState::kCancelled:
      return PlanState::kCancelled;
    case RunState::kRunning:
      break;
  }
  return PlanState::kRunning;
}

}  // namespace

absl::Status Starter::Resume() {
  ASSIGN_OR_RETURN(const std::vector<PlanHead> ordered, options_.store.ListOrders());
  for (const PlanHead& plan : ordered) {
    RETURN_IF_ERROR(pool_.TryRun([this, plan] { Deliver(plan, kPlannerActor).IgnoreError(); }));
  }
  return absl::OkStatus();
}

absl::StatusOr<PlanHead> Starter::Start(const std::string& project, const std::string& id,
                                        const std::string& actor) {
  ASSIGN_OR_RETURN(const PlanHead head,
                   options_.store.ChangePlan(project, id, [&](PlanChange& change) -> absl::Status {
                     const PlanHead& stored = change.head;
                     if (stored.state == PlanState::kApproved) {
                       change.start_ordered = true;
                       return absl::OkStatus();
                     }
                     if (stored.approved_version != 0 && stored.state != PlanState::kProposed) {
                       return absl::OkStatus();  // Started before.
                     }
                     return PlanInState(stored.name(), stored.state, "APPROVED");
                   }));
  if (head.state != PlanState::kApproved) return head;
  return Deliver(head, actor);
}

absl::StatusOr<PlanHead> Starter::Deliver(const PlanHead& plan, const std::string& actor) {
  absl::Status delivered;
  bool amends = false;
  {
    base::MutexLock lock(delivery_mutex_);
    ASSIGN_OR_RETURN(PlanHead head, options_.store.GetHead(plan.project, plan.id));
    if (head.state == PlanState::kApproved) {
      delivered = Submit(std::move(head), actor);
    } else if (head.amendment == AmendmentState::kApproved) {
      amends = true;
      delivered = Amend(head);
    }
  }
  if (!delivered.ok()) {
    const bool passes = Passes(delivered);
    RETURN_IF_ERROR(KeepFailure(plan, delivered, /*end_order=*/!passes));
    if (!passes) return delivered;
    Schedule(plan, delivered);
    return amends ? AmendmentPending(plan.name(), delivered) : StartPending(plan.name(), delivered);
  }
  std::unique_ptr<base::Timer> timer;  // Goes after the lock.
  {
    base::MutexLock lock(mutex_);
    waits_.erase(plan.name());
    const auto found = timers_.find(plan.name());
    if (found != timers_.end()) {
      timer = std::move(found->second);
      timers_.erase(found);
    }
  }
  return options_.store.GetHead(plan.project, plan.id);
}

absl::Status Starter::Submit(PlanHead head, const std::string& actor) {
  ASSIGN_OR_RETURN(const Project project, options_.store.GetApprovedProject(head.project, head.id));
  ASSIGN_OR_RETURN(const PlanContent content,
                   options_.store.GetContent(head.project, head.id, head.approved_version));
  ASSIGN_OR_RETURN(head.base_commit, options_.repository.OpenPlan(project, head));
  ASSIGN_OR_RETURN(const Run run, options_.dispatcher.Submit(project, head, content));
  const absl::StatusOr<PlanHead> running = MarkRunning(head, actor);
  if (!running.ok()) return running.status();
  return ApplyRun(head.project, head.id, run);
}

absl::Status Starter::Amend(const PlanHead& head) {
  ASSIGN_OR_RETURN(const PlanContent running,
                   options_.store.GetContent(head.project, head.id, head.approved_version));
  ASSIGN_OR_RETURN(const PlanContent approved,
                   options_.store.GetContent(head.project, head.id, head.version));
  ASSIGN_OR_RETURN(const Run run, options_.dispatcher.Amend(head, DeltaBetween(running, approved),
                                                            /*validate_only=*/false));
  const absl::StatusOr<PlanHead> amended =
      options_.store.ChangePlan(head.project, head.id, [&](PlanChange& change) {
        PlanHead& stored = change.head;
        if (stored.amendment != AmendmentState::kApproved) return absl::OkStatus();
        change.events.push_back(AmendmentEvent(stored, "APPLIED", "", stored.amendment_approver));
        stored.approved_version = stored.version;
        stored.approver = stored.amendment_approver;
        stored.DropAmendment();
        return absl::OkStatus();
      });
  if (!amended.ok()) return amended.status();
  return ApplyRun(head.project, head.id, run);
}

absl::StatusOr<PlanHead> Starter::HandOver(const std::string& project, const std::string& id) {
  ASSIGN_OR_RETURN(const PlanHead head, options_.store.GetHead(project, id));
  if (head.amendment != AmendmentState::kApproved) return head;
  return Deliver(head, head.amendment_approver);
}

absl::StatusOr<PlanHead> Starter::MarkRunning(const PlanHead& plan, const std::string& actor) {
  return options_.store.ChangePlan(plan.project, plan.id, [&](PlanChange& change) {
    if (change.head.state != PlanState::kApproved) return absl::OkStatus();
    change.events.push_back(StepEvent(change.head, PlanState::kRunning, "", actor));
    change.head.state = PlanState::kRunning;
    change.head.base_commit = plan.base_commit;
    change.head.failure.clear();
    change.start_ordered = false;
    return absl::OkStatus();
  });
}

absl::Status Starter::ApplyRun(const std::string& project, const std::string& id, const Run& run) {
  const absl::StatusOr<PlanHead> head = options_.store.GetHead(project, id);
  if (absl::IsNotFound(head.status())) return absl::OkStatus();
  if (!head.ok()) return head.status();
  // The dispatcher has it, though nobody here has seen the answer of its submission.
  if (head->state == PlanState::kApproved) {
    const absl::StatusOr<PlanHead> running = MarkRunning(*head, kPlannerActor);
    if (!running.ok()) return running.status();
  }
  const PlanState end = EndOf(run.state);
  if (end == PlanState::kRunning || IsFinal(head->state)) return absl::OkStatus();
  return options_.store
      .ChangePlan(
          project, id,
          [&](PlanChange& change) {
            if (change.head.state != PlanState::kRunning) return absl::OkStatus();
            // One that is approved may have been taken: its delivery learns it.
            const AmendmentState amendment = change.head.amendment;
            if (amendment == AmendmentState::kProposed || amendment == AmendmentState::kRefused) {
              DropOvertaken(change);
            }
            change.events.push_back(StepEvent(change.head, end, run.detail, "dispatcher"));
            change.head.state = end;
            if (end != PlanState::kCompleted) change.head.failure = run.detail;
            return absl::OkStatus();
          })
      .status();
}

absl::Status Starter::Reconcile() {
  PlanQuery query = {.state = PlanState::kRunning, .limit = kPageSizeMax};
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<PlanRow> rows, options_.store.ListPlans(query));
    for (const PlanRow& row : rows) {
      const absl::StatusOr<Run> run = options_.dispatcher.GetRun(row.head.name());
      if (absl::IsNotFound(run.status())) continue;
      if (!run.ok()) return run.status();
      RETURN_IF_ERROR(ApplyRun(row.head.project, row.head.id, *run));
    }
    if (rows.size() < static_cast<size_t>(query.limit)) return absl::OkStatus();
    query.before = rows.back().position;
  }
}

void Starter::Schedule(const PlanHead& plan, const absl::Status& trouble) {
  absl::Duration wait;
  {
    base::MutexLock lock(mutex_);
    wait = BackoffAfter(trouble, waits_[plan.name()]++);
  }
  std::unique_ptr<base::Timer> timer = options_.clock.RunAfter(wait, [this, plan] {
    pool_.TryRun([this, plan] { Deliver(plan, kPlannerActor).IgnoreError(); }).IgnoreError();
  });
  base::MutexLock lock(mutex_);
  if (!stopping_) timers_[plan.name()].swap(timer);
}

absl::Status Starter::KeepFailure(const PlanHead& plan, const absl::Status& trouble,
                                  bool end_order) {
  return options_.store
      .ChangePlan(plan.project, plan.id,
                  [&](PlanChange& change) {
                    PlanHead& head = change.head;
                    if (head.amendment == AmendmentState::kApproved) {
                      head.amendment_failure = Describe(trouble);
                      if (end_order) RefuseAmendment(change);
                      return absl::OkStatus();
                    }
                    if (head.state != PlanState::kApproved) return absl::OkStatus();
                    head.failure = Describe(trouble);
                    if (end_order) change.start_ordered = false;
                    return absl::OkStatus();
                  })
      .status();
}

void Starter::Stop() {
  std::map<std::string, std::unique_ptr<base::Timer>> timers;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    timers.swap(timers_);
  }
  timers.clear();
  pool_.Stop();
}

}  // namespace slipway::planner
