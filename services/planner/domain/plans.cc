#include "services/planner/domain/plans.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/plan_check.h"
#include "services/planner/domain/plan_delta.h"
#include "services/planner/domain/plan_finish.h"

namespace slipway::planner {
namespace {

bool IsCommit(absl::string_view text) {
  return text.size() == 40 && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

// PLAN_STATE, AMENDMENT_UNDER_WAY or VERSION_MISMATCH.
absl::Status CheckEditable(const PlanHead& head, int version) {
  if (head.state != PlanState::kProposed && head.state != PlanState::kRunning) {
    return PlanInState(head.name(), head.state, "PROPOSED or RUNNING");
  }
  if (head.amendment == AmendmentState::kApproved) {
    return AmendmentUnderWay(head.name(), head.version);
  }
  if (version != head.version) return VersionMismatch(head.name(), version, head.version);
  return absl::OkStatus();
}

Event AmendmentStepped(const PlanHead& head, AmendmentState to, const std::string& actor) {
  return PlanAmendmentChanged(head.project_name(), head.name(),
                              {.from = std::string(AmendmentStateName(head.amendment)),
                               .to = std::string(AmendmentStateName(to)),
                               .version = head.version,
                               .base_version = head.approved_version,
                               .actor = actor});
}

// The same with all that it changes; `before` is the state that it was edited in.
Event AmendmentProposed(const PlanHead& head, AmendmentState before, const Amendment& amendment,
                        const std::string& actor) {
  AmendmentChange change{.from = std::string(AmendmentStateName(before)),
                         .to = std::string(AmendmentStateName(AmendmentState::kProposed)),
                         .version = head.version,
                         .base_version = head.approved_version,
                         .removed = amendment.delta.removed,
                         .estimate_change_usd_nanos = amendment.estimate_change_usd_nanos,
                         .actor = actor};
  for (const Task& task : amendment.delta.added) change.added.push_back(task.id);
  for (const TaskChange& task : amendment.delta.changed) change.changed.push_back(task.task.id);
  return PlanAmendmentChanged(head.project_name(), head.name(), change);
}

// Approves what shall change a running plan. OK for one that is approved already.
void ApproveAmendment(PlanChange& change, const std::string& actor) {
  PlanHead& head = change.head;
  if (head.amendment == AmendmentState::kApproved) return;
  change.events.push_back(AmendmentStepped(head, AmendmentState::kApproved, actor));
  head.amendment = AmendmentState::kApproved;
  head.amendment_approver = actor;
  head.amendment_failure.clear();
}

absl::Status RejectAmendment(PlanChange& change, const std::string& why, const std::string& actor) {
  PlanHead& head = change.head;
  if (head.amendment == AmendmentState::kNone) {
    return PlanInState(head.name(), head.state,
                       "DRAFTING or PROPOSED, or that has a change which waits for approval");
  }
  if (head.amendment == AmendmentState::kApproved) {
    return AmendmentUnderWay(head.name(), head.version);
  }
  change.events.push_back(
      PlanAmendmentChanged(head.project_name(), head.name(),
                           {.from = std::string(AmendmentStateName(head.amendment)),
                            .to = "REJECTED",
                            .version = head.version,
                            .base_version = head.approved_version,
                            .detail = why,
                            .actor = actor}));
  head.DropAmendment();
  return absl::OkStatus();
}

bool WasApproved(PlanState state) {
  return state != PlanState::kDrafting && state != PlanState::kProposed &&
         state != PlanState::kRejected;
}

}  // namespace

absl::StatusOr<Plan> Plans::Create(const Wish& wish) {
  RETURN_IF_ERROR(CheckSpec(wish.spec));
  ASSIGN_OR_RETURN(const std::optional<PlanHead> earlier,
                   with_.store.FindPlanOfRequest(wish.project, wish.request_id));
  if (earlier.has_value()) return Load(*earlier);
  ASSIGN_OR_RETURN(const Project project, ActiveProject(wish.project));
  PlanHead head = NewHead(wish, project);
  ASSIGN_OR_RETURN(head.base_commit, with_.repository.Check(project, /*require_clean=*/true));
  head.state = PlanState::kDrafting;
  ASSIGN_OR_RETURN(PlanHead created, with_.store.CreatePlan({.head = std::move(head),
                                                             .spec = wish.spec,
                                                             .content = std::nullopt,
                                                             .request_id = wish.request_id,
                                                             .actor = wish.actor}));
  with_.drafter.Begin(created);
  return Load(std::move(created));
}

absl::StatusOr<Plan> Plans::Import(const Wish& wish, PlanContent content,
                                   const std::string& base_commit) {
  // A plan that was written without a spec says everything in its tasks.
  if (!wish.spec.empty()) RETURN_IF_ERROR(CheckSpec(wish.spec));
  if (!base_commit.empty() && !IsCommit(base_commit)) return CommitInvalid(base_commit);
  ASSIGN_OR_RETURN(const std::optional<PlanHead> earlier,
                   with_.store.FindPlanOfRequest(wish.project, wish.request_id));
  if (earlier.has_value()) return Load(*earlier);
  ASSIGN_OR_RETURN(const Project project, ActiveProject(wish.project));
  PlanHead head = NewHead(wish, project);
  // What is not committed matters only to a plan that starts from the tip.
  ASSIGN_OR_RETURN(const std::string tip,
                   with_.repository.Check(project, /*require_clean=*/base_commit.empty()));
  head.base_commit = base_commit.empty() ? tip : base_commit;
  RETURN_IF_ERROR(FinishPlan(project.policy, with_.models, content));
  head.state = PlanState::kProposed;
  head.version = 1;
  ASSIGN_OR_RETURN(PlanHead created, with_.store.CreatePlan({.head = std::move(head),
                                                             .spec = wish.spec,
                                                             .content = std::move(content),
                                                             .request_id = wish.request_id,
                                                             .actor = wish.actor}));
  return Load(std::move(created));
}

absl::StatusOr<Plan> Plans::Get(const PlanName& name, int version) {
  ASSIGN_OR_RETURN(PlanHead head, with_.store.GetHead(name.project, name.id));
  return Load(std::move(head), version);
}

absl::StatusOr<std::vector<PlanRow>> Plans::List(const PlanQuery& query) {
  if (!query.project.empty()) {
    const absl::StatusOr<Project> project = with_.store.GetProject(query.project);
    if (!project.ok()) return project.status();
  }
  return with_.store.ListPlans(query);
}

absl::StatusOr<Plan> Plans::EditPlan(const PlanName& name, const Edit& edit) {
  ASSIGN_OR_RETURN(const PlanHead head, with_.store.GetHead(name.project, name.id));
  RETURN_IF_ERROR(CheckEditable(head, edit.version));
  const bool runs = head.state == PlanState::kRunning;
  ASSIGN_OR_RETURN(const Project project,
                   runs ? with_.store.GetApprovedProject(name.project, name.id)
                        : with_.store.GetProject(name.project));
  ASSIGN_OR_RETURN(const PlanContent before,
                   with_.store.GetContent(name.project, name.id, head.version));
  ASSIGN_OR_RETURN(PlanContent content, EditTasks(before, edit.edits, edit.added));
  RETURN_IF_ERROR(FinishPlan(project.policy, with_.models, content));
  Amendment amendment;
  if (runs) RETURN_IF_ERROR(FinishAmendment(head, content, amendment));
  const std::vector<std::string> changes = DescribeChanges(before, content);

  ASSIGN_OR_RETURN(
      PlanHead changed,
      with_.store.ChangePlan(name.project, name.id, [&](PlanChange& change) -> absl::Status {
        // Others may have come first since the version was read.
        RETURN_IF_ERROR(CheckEditable(change.head, edit.version));
        if (change.head.state != head.state) {
          return PlanInState(change.head.name(), change.head.state, PlanStateName(head.state));
        }
        change.head.version = change.next_version;
        change.content = content;
        if (runs) {
          const AmendmentState earlier = change.head.amendment;
          change.head.amendment = AmendmentState::kProposed;
          change.head.amendment_failure.clear();
          change.events.push_back(AmendmentProposed(change.head, earlier, amendment, edit.actor));
        }
        change.events.push_back(
            PlanRevised(change.head.project_name(), change.head.name(), change.head.version,
                        static_cast<int>(content.tasks.size()), changes, edit.actor));
        return absl::OkStatus();
      }));
  return Load(std::move(changed));
}

absl::StatusOr<std::vector<std::string>> Plans::Diff(const PlanName& name, int from, int to) {
  ASSIGN_OR_RETURN(const PlanHead head, with_.store.GetHead(name.project, name.id));
  const int newer = to == 0 ? head.version : to;
  ASSIGN_OR_RETURN(const PlanContent before, with_.store.GetContent(name.project, name.id, from));
  ASSIGN_OR_RETURN(const PlanContent after, with_.store.GetContent(name.project, name.id, newer));
  return DescribeChanges(before, after);
}

absl::StatusOr<Plan> Plans::Approve(const PlanName& name, int version, const std::string& actor) {
  ASSIGN_OR_RETURN(const Project project, with_.store.GetProject(name.project));
  ASSIGN_OR_RETURN(
      PlanHead changed,
      with_.store.ChangePlan(name.project, name.id, [&](PlanChange& change) -> absl::Status {
        PlanHead& head = change.head;
        if (head.approved_version != 0 && WasApproved(head.state)) {
          if (head.approved_version == version) return absl::OkStatus();
          if (head.amendment == AmendmentState::kNone || version != head.version) {
            return VersionMismatch(head.name(), version, head.version);
          }
          ApproveAmendment(change, actor);
          return absl::OkStatus();
        }
        if (head.state != PlanState::kProposed) {
          return PlanInState(head.name(), head.state, "PROPOSED");
        }
        if (version != head.version) return VersionMismatch(head.name(), version, head.version);
        change.events.push_back(PlanStateChanged(head.project_name(), head.name(),
                                                 {.from = std::string(PlanStateName(head.state)),
                                                  .to = PlanState::kApproved,
                                                  .title = head.title,
                                                  .reason = absl::StrCat("version ", version),
                                                  .actor = actor}));
        head.state = PlanState::kApproved;
        head.approved_version = version;
        head.approver = actor;
        change.approved_with = project;
        return absl::OkStatus();
      }));
  return Load(std::move(changed));
}

absl::StatusOr<Plan> Plans::Reject(const PlanName& name, const std::string& reason,
                                   const std::string& actor) {
  ASSIGN_OR_RETURN(
      PlanHead changed,
      with_.store.ChangePlan(name.project, name.id, [&](PlanChange& change) -> absl::Status {
        PlanHead& head = change.head;
        const std::string why = base::ToUtf8(reason, kLineBytesMax);
        if (!CanStep(head.state, PlanState::kRejected)) {
          return RejectAmendment(change, why, actor);
        }
        change.events.push_back(PlanStateChanged(head.project_name(), head.name(),
                                                 {.from = std::string(PlanStateName(head.state)),
                                                  .to = PlanState::kRejected,
                                                  .title = head.title,
                                                  .reason = why,
                                                  .actor = actor}));
        head.state = PlanState::kRejected;
        head.failure = why.empty() ? "REJECTED" : absl::StrCat("REJECTED: ", why);
        change.draft.reset();
        return absl::OkStatus();
      }));
  with_.drafter.Cancel(changed);
  return Load(std::move(changed));
}

absl::StatusOr<Project> Plans::ActiveProject(const std::string& id) {
  ASSIGN_OR_RETURN(Project project, with_.store.GetProject(id));
  if (project.state == ProjectState::kArchived) return ProjectArchived(project.name());
  return project;
}

PlanHead Plans::NewHead(const Wish& wish, const Project& project) const {
  const absl::Time now = with_.clock.Now();
  PlanHead head;
  head.project = project.id;
  head.title = base::ToUtf8(absl::StripAsciiWhitespace(wish.title), kTitleBytesMax);
  if (head.title.empty()) head.title = TitleOf(wish.spec);
  head.id = absl::StrCat(absl::FormatTime("%Y-%m-%d", now, absl::UTCTimeZone()), "-",
                         base::Slug(head.title));
  head.rigor = wish.rigor == Rigor::kUnspecified ? project.rigor : wish.rigor;
  head.create_time = now;
  head.update_time = now;
  return head;
}

// Shows and asks for what it would change of the run, not of the version that was edited.
absl::Status Plans::FinishAmendment(const PlanHead& head, PlanContent& content,
                                    Amendment& amendment) {
  ASSIGN_OR_RETURN(const PlanContent running,
                   with_.store.GetContent(head.project, head.id, head.approved_version));
  KeepEstimates(running, content);
  RETURN_IF_ERROR(CheckPlan(content));
  amendment = DescribeAmendment(head, running, content);
  if (amendment.delta.empty()) {
    return head.amendment == AmendmentState::kNone ? EditEmpty() : EditTakesAllBack(head.version);
  }
  PlanHead proposed = head;
  ++proposed.version;
  return with_.dispatcher.Amend(proposed, amendment.delta, /*validate_only=*/true).status();
}

absl::StatusOr<Plan> Plans::Load(PlanHead head, int version) {
  Plan plan;
  ASSIGN_OR_RETURN(plan.spec, with_.store.GetSpec(head.project, head.id));
  if (head.amendment != AmendmentState::kNone) {
    ASSIGN_OR_RETURN(const PlanContent running,
                     with_.store.GetContent(head.project, head.id, head.approved_version));
    ASSIGN_OR_RETURN(const PlanContent waiting,
                     with_.store.GetContent(head.project, head.id, head.version));
    plan.amendment = DescribeAmendment(head, running, waiting);
  }
  if (version < 0) return VersionUnknown(head.name(), version);
  if (version > 0) head.version = version;
  if (head.version > 0) {
    ASSIGN_OR_RETURN(plan.content, with_.store.GetContent(head.project, head.id, head.version));
  }
  plan.head = std::move(head);
  return plan;
}

}  // namespace slipway::planner
