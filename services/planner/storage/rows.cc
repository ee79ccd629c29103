#include "services/planner/storage/rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/stored_form.h"

namespace slipway::planner {
namespace {

constexpr sqlite::Sql kSelectProject =
    "SELECT id,title,repository,target_branch,plan_tier,rigor,policy_json,state,version,"
    "create_time_us FROM project WHERE id=?";
constexpr sqlite::Sql kSelectPlan =
    "SELECT position,project,id,title,state,version,approved_version,rigor,base_commit,branch,"
    "failure,approver,create_time_us,update_time_us,amendment,amendment_failure,"
    "amendment_approver FROM plan WHERE project=? AND id=?";
constexpr sqlite::Sql kSelectDraft =
    "SELECT round,attempt,call_id,call_pending,refused_reply,problem,context_tokens,unexplained,"
    "waits FROM draft WHERE plan=?";

Draft ReadDraft(const sqlite::Row& row) {
  return {.round = row.Int(0),
          .attempt = row.Int(1),
          .call_id = row.Text(2),
          .call_pending = row.Bool(3),
          .refused_reply = row.Text(4),
          .problem = row.Text(5),
          .context_tokens = row.Int64(6),
          .unexplained = row.Int(7),
          .waits = row.Int(8)};
}

}  // namespace

absl::StatusOr<Project> ReadProject(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(ProjectPolicy policy, DecodePolicy(row.Text(6)));
  return Project{.id = row.Text(0),
                 .title = row.Text(1),
                 .repository = row.Text(2),
                 .target_branch = row.Text(3),
                 .plan_tier = row.Text(4),
                 .rigor = static_cast<Rigor>(row.Int(5)),
                 .policy = std::move(policy),
                 .state = static_cast<ProjectState>(row.Int(7)),
                 .version = row.Int64(8),
                 .create_time = row.Time(9)};
}

PlanRow ReadPlan(const sqlite::Row& row) {
  return {.position = row.Int64(0),
          .head = {.project = row.Text(1),
                   .id = row.Text(2),
                   .title = row.Text(3),
                   .state = static_cast<PlanState>(row.Int(4)),
                   .version = row.Int(5),
                   .approved_version = row.Int(6),
                   .rigor = static_cast<Rigor>(row.Int(7)),
                   .base_commit = row.Text(8),
                   .branch = row.Text(9),
                   .failure = row.Text(10),
                   .approver = row.Text(11),
                   .amendment = static_cast<AmendmentState>(row.Int(14)),
                   .amendment_failure = row.Text(15),
                   .amendment_approver = row.Text(16),
                   .create_time = row.Time(12),
                   .update_time = row.Time(13)}};
}

absl::StatusOr<Project> SelectProject(sqlite::Reader& reader, const std::string& id) {
  ASSIGN_OR_RETURN(std::optional<Project> project, reader.FindOne(kSelectProject, ReadProject, id));
  if (!project.has_value()) return ProjectUnknown(absl::StrCat("projects/", id));
  return *std::move(project);
}

absl::StatusOr<PlanRow> SelectPlan(sqlite::Reader& reader, const std::string& project,
                                   const std::string& id) {
  ASSIGN_OR_RETURN(std::optional<PlanRow> plan, reader.FindOne(kSelectPlan, ReadPlan, project, id));
  if (!plan.has_value()) return PlanUnknown(absl::StrCat("projects/", project, "/plans/", id));
  return *std::move(plan);
}

absl::StatusOr<std::optional<Draft>> SelectDraft(sqlite::Reader& reader, int64_t plan) {
  return reader.FindOne(kSelectDraft, ReadDraft, plan);
}

}  // namespace slipway::planner
