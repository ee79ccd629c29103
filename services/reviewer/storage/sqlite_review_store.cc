#include "services/reviewer/storage/sqlite_review_store.h"

#include <algorithm>
#include <utility>

#include "lib/base/status_macros.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/names.h"
#include "services/reviewer/domain/stored_form.h"
#include "services/reviewer/storage/announcements.h"
#include "services/reviewer/storage/rows.h"
#include "services/reviewer/storage/schema.h"

namespace slipway::reviewer {
namespace {

constexpr sqlite::Sql kInsertPlan =
    "INSERT INTO plan(name,project,location,target_branch,base_commit,branch,policy,open_time_us)"
    " VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(name) DO NOTHING";
// "0" follows "/": all names below the plan's tasks.
constexpr sqlite::Sql kReplacePolicy =
    "UPDATE plan SET policy=? WHERE name=?"
    " AND NOT EXISTS(SELECT 1 FROM inspection WHERE task>?||'/tasks/' AND task<?||'/tasks0')"
    " AND NOT EXISTS(SELECT 1 FROM candidate WHERE plan=?)";
constexpr sqlite::Sql kPutInspection =
    "INSERT OR REPLACE INTO inspection(attempt,task,plan,epoch,base_commit,patch_digest,"
    "expected_tree,title,approver,accepted,findings,human_may_accept,commit_id,tree,paths,added,"
    "removed,inspect_time_us,evidence_before) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
    "COALESCE((SELECT MAX(position) FROM evidence),0))";
constexpr sqlite::Sql kPutPatch = "INSERT OR REPLACE INTO patch(attempt,bytes) VALUES(?,?)";
constexpr sqlite::Sql kSelectPatch = "SELECT bytes FROM patch WHERE attempt=?";
constexpr sqlite::Sql kInsertCandidate =
    "INSERT INTO candidate(name,plan,task,attempt,source,base,commit_id,tree,method,"
    "validator_digest,create_time_us,batch) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr sqlite::Sql kSelectCandidateNames =
    "SELECT name FROM candidate WHERE plan=? AND task=? ORDER BY position";
constexpr sqlite::Sql kPutReady = "INSERT OR REPLACE INTO ready(candidate,approver) VALUES(?,?)";
constexpr sqlite::Sql kSelectReady = "SELECT approver FROM ready WHERE candidate=?";
constexpr sqlite::Sql kDeleteReady = "DELETE FROM ready WHERE candidate=?";
constexpr sqlite::Sql kInsertOutcome =
    "INSERT INTO outcome(plan,attempt,landed) VALUES(?,?,?) ON CONFLICT(attempt) DO NOTHING";
constexpr sqlite::Sql kSelectOutcomes =
    "SELECT landed FROM outcome WHERE plan=? ORDER BY position DESC LIMIT ?";
constexpr sqlite::Sql kPutEvidence =
    "INSERT OR REPLACE INTO evidence(project,tree,validator_digest,attempt,passed,results,"
    "record_time_us) VALUES(?,?,?,?,?,?,?)";
constexpr sqlite::Sql kInsertVerdict =
    "INSERT INTO verdict(candidate,round,plan,roles,prompt_digest,kind,summary,gaps,give_time_us)"
    " VALUES(?,?,?,?,?,?,?,?,?)";
constexpr sqlite::Sql kSelectTry = "SELECT try FROM call_try WHERE call=?";
constexpr sqlite::Sql kEndTry =
    "INSERT INTO call_try(call,try) VALUES(?,2) ON CONFLICT(call) DO UPDATE SET try=try+1";
constexpr sqlite::Sql kPutIntent =
    "INSERT OR REPLACE INTO intent(candidate,ref,expected,target,approver,ahead)"
    " VALUES(?,?,?,?,?,?)";
constexpr sqlite::Sql kDeleteIntent = "DELETE FROM intent WHERE candidate=?";
constexpr sqlite::Sql kPutRollback =
    "INSERT OR REPLACE INTO rollback(plan,branch,from_commit,target,commit_id,tree,actor,reason,"
    "undone_tasks,restored_tasks,open,rollback_time_us) VALUES(?,?,?,?,?,?,?,?,?,?,TRUE,?)";
constexpr sqlite::Sql kEndRollback = "UPDATE rollback SET open=FALSE WHERE commit_id=? AND open";
constexpr sqlite::Sql kIsOpenRollback = "SELECT 1 FROM rollback WHERE commit_id=? AND open";
constexpr sqlite::Sql kDeleteRollback = "DELETE FROM rollback WHERE commit_id=? AND open";
constexpr sqlite::Sql kInsertMerged =
    "INSERT INTO merged(candidate,plan,task,attempt,branch,from_commit,commit_id,tree,detail,"
    "approver,merge_time_us) VALUES(?,?,?,?,?,?,?,?,?,?,?)";

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteReviewStore>> SqliteReviewStore::Open(const std::string& path,
                                                                           base::Clock& clock,
                                                                           base::IdGenerator& ids) {
  ASSIGN_OR_RETURN(
      std::unique_ptr<sqlite::Database> database,
      sqlite::Database::Open(path, {.migrations = kMigrations, .exclusive = path != ":memory:"}));
  ASSIGN_OR_RETURN(std::unique_ptr<events::EventLog> event_log,
                   events::EventLog::Open(*database, ids, "reviewer"));
  return std::unique_ptr<SqliteReviewStore>(
      new SqliteReviewStore(std::move(database), std::move(event_log), clock));
}

SqliteReviewStore::SqliteReviewStore(std::unique_ptr<sqlite::Database> database,
                                     std::unique_ptr<events::EventLog> event_log,
                                     base::Clock& clock)
    : clock_(clock),
      database_(std::move(database)),
      event_log_(std::move(event_log)),
      writer_(std::make_unique<sqlite::GroupWriter>(
          *database_,
          sqlite::GroupWriterOptions{.on_committed = [this] { event_log_->NotifyAppended(); }})) {}

absl::Status SqliteReviewStore::Announce(sqlite::Transaction& transaction,
                                         const events::EventDraft& draft) {
  return event_log_->Append(transaction, clock_.Now(), draft).status();
}

absl::StatusOr<Plan> SqliteReviewStore::AddPlan(const Plan& plan) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::StatusOr<Plan> {
    const std::string policy = StoredPolicy(plan.policy);
    RETURN_IF_ERROR(transaction.Execute(kInsertPlan, plan.name, plan.project, plan.location,
                                        plan.target_branch, plan.base_commit, plan.branch, policy,
                                        plan.open_time));
    return transaction.QueryOne(kSelectPlan, ReadPlan, plan.name);
  });
}

absl::StatusOr<Plan> SqliteReviewStore::ReplacePolicy(const std::string& plan,
                                                      const ProjectPolicy& policy) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::StatusOr<Plan> {
    const std::string stored = StoredPolicy(policy);
    RETURN_IF_ERROR(transaction.Execute(kReplacePolicy, stored, plan, plan, plan, plan));
    return transaction.QueryOne(kSelectPlan, ReadPlan, plan);
  });
}

absl::StatusOr<std::optional<Plan>> SqliteReviewStore::FindPlan(const std::string& name) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return reader.FindOne(kSelectPlan, ReadPlan, name); });
}

absl::Status SqliteReviewStore::PutInspection(const Inspection& inspection,
                                              const std::string& patch) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    const std::string findings = StoredFindings(inspection.findings);
    const std::string paths = StoredTexts(inspection.paths);
    RETURN_IF_ERROR(transaction.Execute(
        kPutInspection, inspection.attempt, inspection.task, inspection.plan, inspection.epoch,
        inspection.base_commit, inspection.patch_digest, inspection.expected_tree, inspection.title,
        inspection.approver, inspection.accepted, findings, inspection.human_may_accept,
        inspection.commit, inspection.tree, paths, inspection.added, inspection.removed,
        inspection.inspect_time));
    RETURN_IF_ERROR(transaction.Execute(kPutPatch, inspection.attempt, sqlite::Blob{patch}));
    return Announce(transaction, PatchInspected(inspection));
  });
}

absl::StatusOr<std::optional<Inspection>> SqliteReviewStore::FindInspection(
    const std::string& attempt) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kSelectInspection, ReadInspection, attempt);
  });
}

absl::StatusOr<std::optional<std::string>> SqliteReviewStore::FindPatch(
    const std::string& attempt) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(
        kSelectPatch, [](const sqlite::Row& row) { return row.Blob(0); }, attempt);
  });
}

absl::StatusOr<std::vector<Inspection>> SqliteReviewStore::ListInspections(
    const std::string& task) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.Query(kSelectInspections, ReadInspection, task, kReviewAttemptsMax);
  });
}

absl::StatusOr<Candidate> SqliteReviewStore::AddCandidate(const Candidate& candidate) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::StatusOr<Candidate> {
    ASSIGN_OR_RETURN(const std::optional<Candidate> earlier,
                     transaction.FindOne(kSelectCandidate, ReadCandidate, candidate.name));
    if (earlier.has_value()) return *earlier;
    RETURN_IF_ERROR(transaction.Execute(kInsertCandidate, candidate.name, candidate.plan,
                                        candidate.task, candidate.attempt, candidate.source,
                                        candidate.base, candidate.commit, candidate.tree,
                                        NameOf(candidate.method), candidate.validator_digest,
                                        candidate.create_time, candidate.group));
    RETURN_IF_ERROR(Announce(transaction, CandidateCreated(candidate)));
    return candidate;
  });
}

absl::StatusOr<std::optional<Candidate>> SqliteReviewStore::FindCandidate(const std::string& name) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kSelectCandidate, ReadCandidate, name);
  });
}

absl::StatusOr<std::optional<Candidate>> SqliteReviewStore::NewestCandidate(
    const std::string& attempt) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kSelectNewestCandidate, ReadCandidate, attempt);
  });
}

absl::StatusOr<std::vector<std::string>> SqliteReviewStore::ListCandidates(
    const std::string& plan, const std::string& task) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.Query(
        kSelectCandidateNames, [](const sqlite::Row& row) { return row.Text(0); }, plan, task);
  });
}

absl::StatusOr<std::vector<Evidence>> SqliteReviewStore::ListFailures(
    const std::string& project, const std::string& tree, const std::string& validator_digest,
    const std::string& attempt) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.Query(kSelectFailures, ReadEvidence, project, tree, validator_digest, attempt,
                        kFailuresOfTreeMax);
  });
}

absl::Status SqliteReviewStore::AddReady(const std::string& candidate,
                                         const std::string& approver) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    return transaction.Execute(kPutReady, candidate, approver);
  });
}

absl::StatusOr<std::optional<std::string>> SqliteReviewStore::FindReady(
    const std::string& candidate) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(
        kSelectReady, [](const sqlite::Row& row) { return row.Text(0); }, candidate);
  });
}

absl::Status SqliteReviewStore::AddRejection(const std::string& plan, const std::string& attempt) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    return transaction.Execute(kInsertOutcome, plan, attempt, false);
  });
}

absl::StatusOr<std::vector<bool>> SqliteReviewStore::ListOutcomes(const std::string& plan,
                                                                  int limit) {
  ASSIGN_OR_RETURN(std::vector<bool> outcomes, database_->Read([&](sqlite::Reader& reader) {
    return reader.Query(
        kSelectOutcomes, [](const sqlite::Row& row) { return row.Bool(0); }, plan, limit);
  }));
  std::reverse(outcomes.begin(), outcomes.end());
  return outcomes;
}

absl::Status SqliteReviewStore::AnnounceConflict(const Candidate& tried,
                                                 const std::vector<std::string>& paths) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    return Announce(transaction, CandidateConflicted(tried, paths));
  });
}

absl::Status SqliteReviewStore::AddEvidence(const Candidate& candidate, const Evidence& evidence) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    const std::string results = StoredResults(evidence.results);
    RETURN_IF_ERROR(transaction.Execute(kPutEvidence, evidence.project, evidence.tree,
                                        evidence.validator_digest, evidence.attempt,
                                        evidence.passed, results, evidence.record_time));
    return Announce(transaction, EvidenceRecorded(candidate, evidence));
  });
}

absl::StatusOr<std::optional<Evidence>> SqliteReviewStore::FindEvidence(
    const std::string& project, const std::string& tree, const std::string& validator_digest) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kSelectEvidence, ReadEvidence, project, tree, validator_digest);
  });
}

absl::StatusOr<GivenVerdict> SqliteReviewStore::AddVerdict(const Candidate& candidate,
                                                           const GivenVerdict& verdict) {
  return writer_->WriteAndWait(
      [&](sqlite::Transaction& transaction) -> absl::StatusOr<GivenVerdict> {
        ASSIGN_OR_RETURN(
            const std::optional<GivenVerdict> earlier,
            transaction.FindOne(kSelectVerdict, ReadVerdict, verdict.candidate, verdict.round));
        if (earlier.has_value()) return *earlier;
        const std::string gaps = StoredTexts(verdict.verdict.gaps);
        RETURN_IF_ERROR(transaction.Execute(kInsertVerdict, verdict.candidate, verdict.round,
                                            candidate.plan, verdict.roles, verdict.prompt_digest,
                                            NameOf(verdict.verdict.kind), verdict.verdict.summary,
                                            gaps, verdict.give_time));
        RETURN_IF_ERROR(Announce(transaction, VerdictGiven(candidate, verdict)));
        return verdict;
      });
}

absl::StatusOr<std::optional<GivenVerdict>> SqliteReviewStore::FindVerdict(
    const std::string& candidate, int round) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kSelectVerdict, ReadVerdict, candidate, round);
  });
}

absl::StatusOr<std::optional<GivenVerdict>> SqliteReviewStore::NewestVerdict(
    const std::string& candidate) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kSelectNewestVerdict, ReadVerdict, candidate);
  });
}

absl::StatusOr<std::optional<GivenVerdict>> SqliteReviewStore::FindVerdictOfPrompt(
    const std::string& plan, const std::string& prompt_digest) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kSelectVerdictOfPrompt, ReadVerdict, plan, prompt_digest);
  });
}

absl::StatusOr<int> SqliteReviewStore::CurrentTry(const std::string& call) {
  ASSIGN_OR_RETURN(const std::optional<int> current, database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(
        kSelectTry, [](const sqlite::Row& row) { return row.Int(0); }, call);
  }));
  return current.value_or(1);
}

absl::Status SqliteReviewStore::EndTry(const std::string& call) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    return transaction.Execute(kEndTry, call);
  });
}

absl::Status SqliteReviewStore::AddIntent(const LandIntent& intent) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    const std::string ahead = StoredTexts(intent.ahead);
    return transaction.Execute(kPutIntent, intent.candidate, intent.ref, intent.expected,
                               intent.target, intent.approver, ahead);
  });
}

absl::Status SqliteReviewStore::AbandonIntent(const std::string& candidate) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    return transaction.Execute(kDeleteIntent, candidate);
  });
}

absl::StatusOr<std::vector<LandIntent>> SqliteReviewStore::ListIntents() {
  return database_->Read(
      [](sqlite::Reader& reader) { return reader.Query(kSelectIntents, ReadIntent); });
}

absl::Status SqliteReviewStore::Mark(sqlite::Transaction& transaction,
                                     const LandedChange& landing) {
  const Candidate& candidate = landing.candidate;
  const Merged& merged = landing.merged;
  RETURN_IF_ERROR(transaction.Execute(kDeleteIntent, merged.candidate));
  RETURN_IF_ERROR(transaction.Execute(kDeleteReady, merged.candidate));
  ASSIGN_OR_RETURN(const std::optional<Merged> earlier,
                   transaction.FindOne(kSelectMerged, ReadMerged, merged.candidate));
  if (earlier.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(transaction.Execute(kInsertMerged, merged.candidate, candidate.plan,
                                      candidate.task, candidate.attempt, merged.branch, merged.from,
                                      merged.commit, merged.tree, merged.detail, merged.approver,
                                      merged.merge_time));
  if (!candidate.is_integration()) {
    RETURN_IF_ERROR(transaction.Execute(kInsertOutcome, candidate.plan, candidate.attempt, true));
  }
  return Announce(transaction, ChangeMerged(candidate, merged));
}

absl::StatusOr<Merged> SqliteReviewStore::AddMerged(const Candidate& candidate,
                                                    const Merged& merged) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::StatusOr<Merged> {
    RETURN_IF_ERROR(Mark(transaction, {.candidate = candidate, .merged = merged}));
    return transaction.QueryOne(kSelectMerged, ReadMerged, merged.candidate);
  });
}

absl::Status SqliteReviewStore::AddLandings(const std::vector<LandedChange>& landings) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    for (const LandedChange& landing : landings) RETURN_IF_ERROR(Mark(transaction, landing));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::optional<Merged>> SqliteReviewStore::FindMerged(const std::string& candidate) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return reader.FindOne(kSelectMerged, ReadMerged, candidate); });
}

absl::StatusOr<std::optional<Merged>> SqliteReviewStore::FindMergedOfAttempt(
    const std::string& attempt) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kSelectMergedOfAttempt, ReadMerged, attempt);
  });
}

absl::StatusOr<std::optional<Merged>> SqliteReviewStore::FindMergedOfTask(const std::string& task) {
  ASSIGN_OR_RETURN(const Names names, ParseTask(task));
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kSelectMergedOfTask, ReadMerged, names.plan(), task);
  });
}

absl::StatusOr<std::optional<Merged>> SqliteReviewStore::FindIntegration(const std::string& plan) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return reader.FindOne(kSelectIntegration, ReadMerged, plan); });
}

absl::Status SqliteReviewStore::AddRollback(const Rollback& rollback) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    const std::string undone = StoredTexts(rollback.undone_tasks);
    const std::string restored = StoredTexts(rollback.restored_tasks);
    return transaction.Execute(kPutRollback, rollback.plan, rollback.branch, rollback.from,
                               rollback.target, rollback.commit, rollback.tree, rollback.actor,
                               rollback.reason, undone, restored, rollback.rollback_time);
  });
}

absl::Status SqliteReviewStore::EndRollback(const Rollback& rollback) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(
        const std::optional<int> open,
        transaction.FindOne(
            kIsOpenRollback, [](const sqlite::Row& row) { return row.Int(0); }, rollback.commit));
    if (!open.has_value()) return absl::OkStatus();
    RETURN_IF_ERROR(transaction.Execute(kEndRollback, rollback.commit));
    return Announce(transaction, BranchReturned(rollback));
  });
}

absl::Status SqliteReviewStore::AbandonRollback(const std::string& commit) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    return transaction.Execute(kDeleteRollback, commit);
  });
}

absl::StatusOr<std::vector<Rollback>> SqliteReviewStore::ListOpenRollbacks() {
  return database_->Read(
      [](sqlite::Reader& reader) { return reader.Query(kSelectOpenRollbacks, ReadRollback); });
}

absl::Status SqliteReviewStore::AnnounceIntegration(const Candidate& candidate,
                                                    const std::string& state,
                                                    const std::string& target,
                                                    const std::string& detail) {
  return writer_->WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
    return Announce(
        transaction,
        IntegrationChanged(candidate, {.state = state, .target = target, .detail = detail}));
  });
}

}  // namespace slipway::reviewer
