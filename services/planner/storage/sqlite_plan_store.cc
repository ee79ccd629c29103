#include "services/planner/storage/sqlite_plan_store.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/stored_form.h"
#include "services/planner/storage/rows.h"

namespace slipway::planner {
namespace {

constexpr sqlite::Sql kInsertProject =
    "INSERT INTO project(id,title,repository,target_branch,plan_tier,rigor,policy_json,state,"
    "version,create_time_us) VALUES(?,?,?,?,?,?,?,?,?,?)";
constexpr sqlite::Sql kUpdateProject =
    "UPDATE project SET title=?,repository=?,target_branch=?,plan_tier=?,rigor=?,policy_json=?,"
    "state=?,version=version+1 WHERE id=? AND version=?";
constexpr sqlite::Sql kProjectExists = "SELECT 1 FROM project WHERE id=?";
constexpr sqlite::Sql kListProjects =
    "SELECT id,title,repository,target_branch,plan_tier,rigor,policy_json,state,version,"
    "create_time_us FROM project WHERE id>? AND (state=1 OR ?) ORDER BY id LIMIT ?";
constexpr sqlite::Sql kSelectRequest =
    "SELECT result FROM request WHERE method=? AND scope=? AND request_id=?";
constexpr sqlite::Sql kInsertRequest =
    "INSERT INTO request(method,scope,request_id,result) VALUES(?,?,?,?)";
constexpr sqlite::Sql kInsertPlan =
    "INSERT INTO plan(project,id,title,state,version,approved_version,rigor,base_commit,branch,"
    "failure,approver,create_time_us,update_time_us) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr sqlite::Sql kUpdatePlan =
    "UPDATE plan SET title=?,state=?,version=?,approved_version=?,base_commit=?,branch=?,"
    "failure=?,approver=?,update_time_us=?,amendment=?,amendment_failure=?,amendment_approver=?"
    " WHERE position=?";
constexpr sqlite::Sql kPlanExists = "SELECT 1 FROM plan WHERE project=? AND id=?";
constexpr sqlite::Sql kCountDrafts = "SELECT COUNT(*) FROM draft";
constexpr sqlite::Sql kInsertSpec = "INSERT INTO plan_spec(plan,spec) VALUES(?,?)";
constexpr sqlite::Sql kSelectSpec = "SELECT spec FROM plan_spec WHERE plan=?";
constexpr sqlite::Sql kInsertVersion =
    "INSERT INTO plan_version(plan,version,content_json,create_time_us) VALUES(?,?,?,?)";
constexpr sqlite::Sql kNextVersion =
    "SELECT COALESCE(MAX(version),0)+1 FROM plan_version WHERE plan=?";
constexpr sqlite::Sql kSelectVersion =
    "SELECT content_json FROM plan_version WHERE plan=? AND version=?";
constexpr sqlite::Sql kUpsertDraft =
    "INSERT OR REPLACE INTO draft(plan,round,attempt,call_id,call_pending,refused_reply,problem,"
    "context_tokens,unexplained,waits) VALUES(?,?,?,?,?,?,?,?,?,?)";
constexpr sqlite::Sql kDeleteDraft = "DELETE FROM draft WHERE plan=?";
constexpr sqlite::Sql kInsertOrder = "INSERT OR IGNORE INTO start_order(plan) VALUES(?)";
constexpr sqlite::Sql kDeleteOrder = "DELETE FROM start_order WHERE plan=?";
constexpr sqlite::Sql kSelectOrder = "SELECT 1 FROM start_order WHERE plan=?";
constexpr sqlite::Sql kListOrders =
    "SELECT position,project,id,title,state,version,approved_version,rigor,base_commit,branch,"
    "failure,approver,create_time_us,update_time_us,amendment,amendment_failure,"
    "amendment_approver FROM plan"
    " WHERE amendment=2 OR position IN (SELECT plan FROM start_order) ORDER BY position";
constexpr sqlite::Sql kInsertApproval =
    "INSERT INTO approval(plan,repository,target_branch,plan_tier,policy_json,project_version)"
    " VALUES(?,?,?,?,?,?)";
constexpr sqlite::Sql kSelectApproval =
    "SELECT repository,target_branch,plan_tier,policy_json,project_version FROM approval"
    " WHERE plan=?";
constexpr sqlite::Sql kListPlans =
    "SELECT position,project,id,title,state,version,approved_version,rigor,base_commit,branch,"
    "failure,approver,create_time_us,update_time_us,amendment,amendment_failure,"
    "amendment_approver FROM plan"
    " WHERE position<? AND (?='' OR project=?) AND (?=0 OR state=?)"
    " ORDER BY position DESC LIMIT ?";
constexpr sqlite::Sql kSelectCursor = "SELECT token FROM cursor WHERE log=?";
constexpr sqlite::Sql kUpsertCursor = "INSERT OR REPLACE INTO cursor(log,token) VALUES(?,?)";

constexpr char kCreateProjectMethod[] = "CreateProject";
constexpr char kCreatePlanMethod[] = "CreatePlan";

std::string FirstText(const sqlite::Row& row) { return row.Text(0); }
int64_t FirstNumber(const sqlite::Row& row) { return row.Int64(0); }

absl::Status InsertVersion(sqlite::Transaction& transaction, int64_t plan, int version,
                           const PlanContent& content, absl::Time now) {
  return transaction.Execute(kInsertVersion, plan, version, EncodeContent(content), now);
}

absl::Status StoreDraft(sqlite::Transaction& transaction, int64_t plan, const Draft& draft) {
  return transaction.Execute(kUpsertDraft, plan, draft.round, draft.attempt, draft.call_id,
                             draft.call_pending, draft.refused_reply, draft.problem,
                             draft.context_tokens, draft.unexplained, draft.waits);
}

}  // namespace

absl::Status SqlitePlanStore::AppendEvents(sqlite::Transaction& transaction,
                                           const std::vector<Event>& events) {
  for (const Event& event : events) {
    const events::EventDraft draft = {
        .kind = event.kind,
        .project = event.project,
        .plan = event.plan,
        .task = "",
        .attempt = "",
        .payload_json = events::PayloadJson(event.kind, event.facts_json)};
    const absl::StatusOr<int64_t> sequence = log_.Append(transaction, clock_.Now(), draft);
    if (!sequence.ok()) return sequence.status();
  }
  return absl::OkStatus();
}

absl::StatusOr<Project> SqlitePlanStore::CreateProject(const Project& project,
                                                       const std::string& request_id,
                                                       const Event& event) {
  absl::StatusOr<Project> created =
      database_.Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<Project> {
        if (!request_id.empty()) {
          ASSIGN_OR_RETURN(
              const std::optional<std::string> earlier,
              transaction.FindOne(kSelectRequest, FirstText, kCreateProjectMethod, "", request_id));
          if (earlier.has_value()) return SelectProject(transaction, *earlier);
        }
        ASSIGN_OR_RETURN(const std::optional<int64_t> taken,
                         transaction.FindOne(kProjectExists, FirstNumber, project.id));
        if (taken.has_value()) return ProjectExists(project.name());
        RETURN_IF_ERROR(transaction.Execute(
            kInsertProject, project.id, project.title, project.repository, project.target_branch,
            project.plan_tier, static_cast<int>(project.rigor), EncodePolicy(project.policy),
            static_cast<int>(project.state), project.version, project.create_time));
        if (!request_id.empty()) {
          RETURN_IF_ERROR(transaction.Execute(kInsertRequest, kCreateProjectMethod, "", request_id,
                                              project.id));
        }
        RETURN_IF_ERROR(AppendEvents(transaction, {event}));
        return SelectProject(transaction, project.id);
      });
  if (created.ok()) log_.NotifyAppended();
  return created;
}

absl::StatusOr<Project> SqlitePlanStore::UpdateProject(const Project& project, const Event& event) {
  absl::StatusOr<Project> updated =
      database_.Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<Project> {
        ASSIGN_OR_RETURN(const Project stored, SelectProject(transaction, project.id));
        if (stored.version != project.version) {
          return VersionMismatch(project.name(), project.version, stored.version);
        }
        RETURN_IF_ERROR(transaction.Execute(
            kUpdateProject, project.title, project.repository, project.target_branch,
            project.plan_tier, static_cast<int>(project.rigor), EncodePolicy(project.policy),
            static_cast<int>(project.state), project.id, project.version));
        RETURN_IF_ERROR(AppendEvents(transaction, {event}));
        return SelectProject(transaction, project.id);
      });
  if (updated.ok()) log_.NotifyAppended();
  return updated;
}

absl::StatusOr<Project> SqlitePlanStore::GetProject(const std::string& id) {
  return database_.Read([&](sqlite::Reader& reader) { return SelectProject(reader, id); });
}

absl::StatusOr<std::vector<Project>> SqlitePlanStore::ListProjects(const std::string& after,
                                                                   bool archived, int limit) {
  return database_.Read([&](sqlite::Reader& reader) {
    return reader.Query(kListProjects, ReadProject, after, archived, limit);
  });
}

absl::StatusOr<std::optional<PlanHead>> SqlitePlanStore::FindPlanOfRequest(
    const std::string& project, const std::string& request_id) {
  if (request_id.empty()) return std::optional<PlanHead>();
  return database_.Read([&](sqlite::Reader& reader) -> absl::StatusOr<std::optional<PlanHead>> {
    ASSIGN_OR_RETURN(
        const std::optional<std::string> earlier,
        reader.FindOne(kSelectRequest, FirstText, kCreatePlanMethod, project, request_id));
    if (!earlier.has_value()) return std::optional<PlanHead>();
    ASSIGN_OR_RETURN(PlanRow row, SelectPlan(reader, project, *earlier));
    return std::optional<PlanHead>(std::move(row.head));
  });
}

absl::StatusOr<PlanHead> SqlitePlanStore::CreatePlan(const NewPlan& plan) {
  absl::StatusOr<PlanHead> created =
      database_.Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<PlanHead> {
        if (!plan.request_id.empty()) {
          ASSIGN_OR_RETURN(const std::optional<std::string> earlier,
                           transaction.FindOne(kSelectRequest, FirstText, kCreatePlanMethod,
                                               plan.head.project, plan.request_id));
          if (earlier.has_value()) {
            ASSIGN_OR_RETURN(PlanRow row, SelectPlan(transaction, plan.head.project, *earlier));
            return std::move(row.head);
          }
        }
        return InsertPlan(transaction, plan);
      });
  if (created.ok()) log_.NotifyAppended();
  return created;
}

absl::StatusOr<PlanHead> SqlitePlanStore::InsertPlan(sqlite::Transaction& transaction,
                                                     const NewPlan& plan) {
  PlanHead head = plan.head;
  for (int n = 1;; ++n) {
    if (n > kSameNameMax) return TooManyPlans(plan.head.id);
    if (n > 1) head.id = absl::StrCat(plan.head.id, "-", n);
    ASSIGN_OR_RETURN(const std::optional<int64_t> taken,
                     transaction.FindOne(kPlanExists, FirstNumber, head.project, head.id));
    if (!taken.has_value()) break;
  }
  head.branch = absl::StrCat("plan/", head.id);
  RETURN_IF_ERROR(transaction.Execute(
      kInsertPlan, head.project, head.id, head.title, static_cast<int>(head.state), head.version,
      head.approved_version, static_cast<int>(head.rigor), head.base_commit, head.branch,
      head.failure, head.approver, head.create_time, head.update_time));
  const int64_t position = transaction.last_insert_rowid();
  RETURN_IF_ERROR(transaction.Execute(kInsertSpec, position, plan.spec));
  std::vector<Event> events = {PlanStateChanged(
      absl::StrCat("projects/", head.project), head.name(),
      {.from = "", .to = head.state, .title = head.title, .reason = "", .actor = plan.actor})};
  if (plan.content.has_value()) {
    RETURN_IF_ERROR(
        InsertVersion(transaction, position, head.version, *plan.content, head.create_time));
    events.push_back(PlanRevised(absl::StrCat("projects/", head.project), head.name(), head.version,
                                 static_cast<int>(plan.content->tasks.size()), {}, plan.actor));
  } else {
    ASSIGN_OR_RETURN(const int64_t drafts, transaction.QueryOne(kCountDrafts, FirstNumber));
    if (drafts >= kDraftingMax) return TooManyDrafts();
    RETURN_IF_ERROR(StoreDraft(transaction, position, {.context_tokens = kContextTokensMax}));
  }
  if (!plan.request_id.empty()) {
    RETURN_IF_ERROR(transaction.Execute(kInsertRequest, kCreatePlanMethod, head.project,
                                        plan.request_id, head.id));
  }
  RETURN_IF_ERROR(AppendEvents(transaction, events));
  return head;
}

absl::StatusOr<PlanHead> SqlitePlanStore::ChangePlan(const std::string& project,
                                                     const std::string& id, ChangePlanFn change) {
  absl::StatusOr<PlanHead> changed =
      database_.Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<PlanHead> {
        ASSIGN_OR_RETURN(const PlanRow stored, SelectPlan(transaction, project, id));
        PlanChange wanted;
        wanted.head = stored.head;
        ASSIGN_OR_RETURN(wanted.draft, SelectDraft(transaction, stored.position));
        ASSIGN_OR_RETURN(const std::optional<int64_t> ordered,
                         transaction.FindOne(kSelectOrder, FirstNumber, stored.position));
        wanted.start_ordered = ordered.has_value();
        ASSIGN_OR_RETURN(const int64_t next,
                         transaction.QueryOne(kNextVersion, FirstNumber, stored.position));
        wanted.next_version = static_cast<int>(next);
        RETURN_IF_ERROR(change(wanted));
        wanted.head.update_time = clock_.Now();
        RETURN_IF_ERROR(StoreChange(transaction, stored, wanted));
        ASSIGN_OR_RETURN(PlanRow row, SelectPlan(transaction, project, id));
        return std::move(row.head);
      });
  if (changed.ok()) log_.NotifyAppended();
  return changed;
}

absl::Status SqlitePlanStore::StoreChange(sqlite::Transaction& transaction, const PlanRow& stored,
                                          const PlanChange& change) {
  const PlanHead& head = change.head;
  if (head.state != stored.head.state && !CanStep(stored.head.state, head.state)) {
    return absl::InternalError(absl::StrCat(head.name(), " cannot step from ",
                                            PlanStateName(stored.head.state), " to ",
                                            PlanStateName(head.state)));
  }
  if (head.amendment != stored.head.amendment && !CanStep(stored.head.amendment, head.amendment)) {
    return absl::InternalError(absl::StrCat("the amendment of ", head.name(), " cannot step from ",
                                            AmendmentStateName(stored.head.amendment), " to ",
                                            AmendmentStateName(head.amendment)));
  }
  RETURN_IF_ERROR(transaction.Execute(kUpdatePlan, head.title, static_cast<int>(head.state),
                                      head.version, head.approved_version, head.base_commit,
                                      head.branch, head.failure, head.approver, head.update_time,
                                      static_cast<int>(head.amendment), head.amendment_failure,
                                      head.amendment_approver, stored.position));
  if (change.content.has_value()) {
    RETURN_IF_ERROR(InsertVersion(transaction, stored.position, head.version, *change.content,
                                  head.update_time));
  }
  if (change.draft.has_value()) {
    RETURN_IF_ERROR(StoreDraft(transaction, stored.position, *change.draft));
  } else {
    RETURN_IF_ERROR(transaction.Execute(kDeleteDraft, stored.position));
  }
  RETURN_IF_ERROR(
      transaction.Execute(change.start_ordered ? kInsertOrder : kDeleteOrder, stored.position));
  if (change.approved_with.has_value()) {
    const Project& project = *change.approved_with;
    RETURN_IF_ERROR(transaction.Execute(kInsertApproval, stored.position, project.repository,
                                        project.target_branch, project.plan_tier,
                                        EncodePolicy(project.policy), project.version));
  }
  return AppendEvents(transaction, change.events);
}

absl::StatusOr<PlanHead> SqlitePlanStore::GetHead(const std::string& project,
                                                  const std::string& id) {
  return database_.Read([&](sqlite::Reader& reader) -> absl::StatusOr<PlanHead> {
    ASSIGN_OR_RETURN(PlanRow row, SelectPlan(reader, project, id));
    return std::move(row.head);
  });
}

absl::StatusOr<std::string> SqlitePlanStore::GetSpec(const std::string& project,
                                                     const std::string& id) {
  return database_.Read([&](sqlite::Reader& reader) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const PlanRow row, SelectPlan(reader, project, id));
    return reader.QueryOne(kSelectSpec, FirstText, row.position);
  });
}

absl::StatusOr<PlanContent> SqlitePlanStore::GetContent(const std::string& project,
                                                        const std::string& id, int version) {
  return database_.Read([&](sqlite::Reader& reader) -> absl::StatusOr<PlanContent> {
    ASSIGN_OR_RETURN(const PlanRow row, SelectPlan(reader, project, id));
    ASSIGN_OR_RETURN(const std::optional<std::string> json,
                     reader.FindOne(kSelectVersion, FirstText, row.position, version));
    if (!json.has_value()) return VersionUnknown(row.head.name(), version);
    return DecodeContent(*json);
  });
}

absl::StatusOr<Draft> SqlitePlanStore::GetDraft(const std::string& project, const std::string& id) {
  return database_.Read([&](sqlite::Reader& reader) -> absl::StatusOr<Draft> {
    ASSIGN_OR_RETURN(const PlanRow row, SelectPlan(reader, project, id));
    ASSIGN_OR_RETURN(std::optional<Draft> draft, SelectDraft(reader, row.position));
    if (!draft.has_value()) return PlanInState(row.head.name(), row.head.state, "DRAFTING");
    return *std::move(draft);
  });
}

absl::StatusOr<Project> SqlitePlanStore::GetApprovedProject(const std::string& project,
                                                            const std::string& id) {
  return database_.Read([&](sqlite::Reader& reader) -> absl::StatusOr<Project> {
    ASSIGN_OR_RETURN(const PlanRow row, SelectPlan(reader, project, id));
    ASSIGN_OR_RETURN(Project approved, SelectProject(reader, project));
    const auto read = [&approved](const sqlite::Row& columns) -> absl::StatusOr<Project> {
      approved.repository = columns.Text(0);
      approved.target_branch = columns.Text(1);
      approved.plan_tier = columns.Text(2);
      ASSIGN_OR_RETURN(approved.policy, DecodePolicy(columns.Text(3)));
      approved.version = columns.Int64(4);
      return approved;
    };
    return reader.QueryOne(kSelectApproval, read, row.position);
  });
}

absl::StatusOr<std::vector<PlanRow>> SqlitePlanStore::ListPlans(const PlanQuery& query) {
  const int64_t before = query.before > 0 ? query.before : std::numeric_limits<int64_t>::max();
  const int state = query.state.has_value() ? static_cast<int>(*query.state) : 0;
  return database_.Read([&](sqlite::Reader& reader) {
    return reader.Query(kListPlans, ReadPlan, before, query.project, query.project, state, state,
                        query.limit);
  });
}

absl::StatusOr<std::vector<PlanHead>> SqlitePlanStore::ListOrders() {
  return database_.Read([&](sqlite::Reader& reader) {
    return reader.Query(kListOrders, [](const sqlite::Row& row) { return ReadPlan(row).head; });
  });
}

absl::StatusOr<std::string> SqlitePlanStore::GetCursor(const std::string& log) {
  return database_.Read([&](sqlite::Reader& reader) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(std::optional<std::string> token,
                     reader.FindOne(kSelectCursor, FirstText, log));
    return token.value_or("");
  });
}

absl::Status SqlitePlanStore::SetCursor(const std::string& log, const std::string& token) {
  return database_.Write([&](sqlite::Transaction& transaction) {
    return transaction.Execute(kUpsertCursor, log, token);
  });
}

}  // namespace slipway::planner
