#pragma once

#include "absl/status/statusor.h"
#include "lib/sqlite/row.h"
#include "lib/sqlite/sql.h"
#include "services/reviewer/domain/change.h"

// Queries with the readers of their columns.
namespace slipway::reviewer {

inline constexpr sqlite::Sql kSelectPlan =
    "SELECT name,project,location,target_branch,base_commit,branch,policy,open_time_us"
    " FROM plan WHERE name=?";
absl::StatusOr<Plan> ReadPlan(const sqlite::Row& row);

inline constexpr sqlite::Sql kSelectInspection =
    "SELECT attempt,task,plan,epoch,base_commit,patch_digest,expected_tree,title,approver,accepted,"
    "findings,human_may_accept,commit_id,tree,paths,added,removed,inspect_time_us"
    " FROM inspection WHERE attempt=?";
inline constexpr sqlite::Sql kSelectInspections =
    "SELECT attempt,task,plan,epoch,base_commit,patch_digest,expected_tree,title,approver,accepted,"
    "findings,human_may_accept,commit_id,tree,paths,added,removed,inspect_time_us"
    " FROM inspection WHERE task=? ORDER BY epoch LIMIT ?";
absl::StatusOr<Inspection> ReadInspection(const sqlite::Row& row);

inline constexpr sqlite::Sql kSelectCandidate =
    "SELECT name,plan,task,attempt,source,base,commit_id,tree,method,validator_digest,"
    "create_time_us,batch FROM candidate WHERE name=?";
inline constexpr sqlite::Sql kSelectNewestCandidate =
    "SELECT name,plan,task,attempt,source,base,commit_id,tree,method,validator_digest,"
    "create_time_us,batch FROM candidate WHERE attempt=? ORDER BY position DESC LIMIT 1";
absl::StatusOr<Candidate> ReadCandidate(const sqlite::Row& row);

inline constexpr sqlite::Sql kSelectEvidence =
    "SELECT project,tree,validator_digest,attempt,passed,results,record_time_us FROM evidence"
    " WHERE project=? AND tree=? AND validator_digest=? ORDER BY position DESC LIMIT 1";
inline constexpr sqlite::Sql kSelectFailures =
    "SELECT project,tree,validator_digest,attempt,passed,results,record_time_us FROM evidence"
    " WHERE project=? AND tree=? AND validator_digest=? AND NOT passed AND position>"
    "COALESCE((SELECT evidence_before FROM inspection WHERE inspection.attempt=?),0)"
    " ORDER BY position LIMIT ?";
absl::StatusOr<Evidence> ReadEvidence(const sqlite::Row& row);

inline constexpr sqlite::Sql kSelectVerdict =
    "SELECT candidate,round,roles,prompt_digest,kind,summary,gaps,give_time_us FROM verdict"
    " WHERE candidate=? AND round=?";
inline constexpr sqlite::Sql kSelectNewestVerdict =
    "SELECT candidate,round,roles,prompt_digest,kind,summary,gaps,give_time_us FROM verdict"
    " WHERE candidate=? ORDER BY round DESC LIMIT 1";
inline constexpr sqlite::Sql kSelectVerdictOfPrompt =
    "SELECT candidate,round,roles,prompt_digest,kind,summary,gaps,give_time_us FROM verdict"
    " WHERE plan=? AND prompt_digest=? ORDER BY rowid DESC LIMIT 1";
absl::StatusOr<GivenVerdict> ReadVerdict(const sqlite::Row& row);

inline constexpr sqlite::Sql kSelectIntents =
    "SELECT candidate,ref,expected,target,approver,ahead FROM intent ORDER BY candidate";
absl::StatusOr<LandIntent> ReadIntent(const sqlite::Row& row);

inline constexpr sqlite::Sql kSelectOpenRollbacks =
    "SELECT plan,branch,from_commit,target,commit_id,tree,actor,reason,undone_tasks,"
    "restored_tasks,rollback_time_us FROM rollback WHERE open ORDER BY rowid";
absl::StatusOr<Rollback> ReadRollback(const sqlite::Row& row);

inline constexpr sqlite::Sql kSelectMerged =
    "SELECT candidate,branch,from_commit,commit_id,tree,detail,approver,merge_time_us FROM merged"
    " WHERE candidate=?";
inline constexpr sqlite::Sql kSelectMergedOfAttempt =
    "SELECT candidate,branch,from_commit,commit_id,tree,detail,approver,merge_time_us FROM merged"
    " WHERE attempt=? LIMIT 1";
inline constexpr sqlite::Sql kSelectMergedOfTask =
    "SELECT candidate,branch,from_commit,commit_id,tree,detail,approver,merge_time_us FROM merged"
    " WHERE plan=? AND task=? ORDER BY rowid DESC LIMIT 1";
inline constexpr sqlite::Sql kSelectIntegration =
    "SELECT candidate,branch,from_commit,commit_id,tree,detail,approver,merge_time_us FROM merged"
    " WHERE plan=? AND task='' LIMIT 1";
Merged ReadMerged(const sqlite::Row& row);

}  // namespace slipway::reviewer
