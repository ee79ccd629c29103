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
#include "services/planner/domain/plan_finish.h"

namespace slipway::planner {
namespace {

std::string ProjectName(const PlanHead& head) { return absl::StrCat("projects/", head.project); }

bool IsCommit(absl::string_view text) {
  return text.size() == 40 && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
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
  if (version != 0) {
    if (version < 0 || version > head.version) return VersionUnknown(head.name(), version);
    head.version = version;
  }
  return Load(std::move(head));
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
  if (head.state != PlanState::kProposed) return PlanInState(head.name(), head.state, "PROPOSED");
  if (edit.version != head.version) {
    return VersionMismatch(head.name(), edit.version, head.version);
  }
  ASSIGN_OR_RETURN(const Project project, with_.store.GetProject(name.project));
  ASSIGN_OR_RETURN(const PlanContent before,
                   with_.store.GetContent(name.project, name.id, head.version));
  ASSIGN_OR_RETURN(PlanContent content, EditTasks(before, edit.edits, edit.added));
  RETURN_IF_ERROR(FinishPlan(project.policy, with_.models, content));
  const std::vector<std::string> changes = DescribeChanges(before, content);

  ASSIGN_OR_RETURN(
      PlanHead changed,
      with_.store.ChangePlan(name.project, name.id, [&](PlanChange& change) -> absl::Status {
        // Others may have come first since the version was read.
        if (change.head.state != PlanState::kProposed) {
          return PlanInState(change.head.name(), change.head.state, "PROPOSED");
        }
        if (change.head.version != edit.version) {
          return VersionMismatch(change.head.name(), edit.version, change.head.version);
        }
        ++change.head.version;
        change.content = content;
        change.events.push_back(
            PlanRevised(ProjectName(change.head), change.head.name(), change.head.version,
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
          return VersionMismatch(head.name(), version, head.approved_version);
        }
        if (head.state != PlanState::kProposed) {
          return PlanInState(head.name(), head.state, "PROPOSED");
        }
        if (version != head.version) return VersionMismatch(head.name(), version, head.version);
        change.events.push_back(PlanStateChanged(ProjectName(head), head.name(),
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
        if (!CanStep(head.state, PlanState::kRejected)) {
          return PlanInState(head.name(), head.state, "DRAFTING or PROPOSED");
        }
        const std::string why = base::ToUtf8(reason, kLineBytesMax);
        change.events.push_back(PlanStateChanged(ProjectName(head), head.name(),
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

absl::StatusOr<Plan> Plans::Load(PlanHead head) {
  Plan plan;
  ASSIGN_OR_RETURN(plan.spec, with_.store.GetSpec(head.project, head.id));
  if (head.version > 0) {
    ASSIGN_OR_RETURN(plan.content, with_.store.GetContent(head.project, head.id, head.version));
  }
  plan.head = std::move(head);
  return plan;
}

}  // namespace slipway::planner
