#include "services/reviewer/storage/rows.h"

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/stored_form.h"

namespace slipway::reviewer {
namespace {

template <typename Kind, size_t N>
absl::StatusOr<Kind> KindOf(const std::string& name, const Kind (&kinds)[N]) {
  for (const Kind kind : kinds) {
    if (name == NameOf(kind)) return kind;
  }
  return StoredFormInvalid(absl::StrCat("unknown name ", name));
}

}  // namespace

absl::StatusOr<Plan> ReadPlan(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(ProjectPolicy policy, PolicyFromStored(row.Text(6)));
  return Plan{.name = row.Text(0),
              .project = row.Text(1),
              .location = row.Text(2),
              .target_branch = row.Text(3),
              .base_commit = row.Text(4),
              .branch = row.Text(5),
              .policy = std::move(policy),
              .open_time = row.Time(7)};
}

absl::StatusOr<Inspection> ReadInspection(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(std::vector<Finding> findings, FindingsFromStored(row.Text(10)));
  ASSIGN_OR_RETURN(std::vector<std::string> paths, TextsFromStored(row.Text(14)));
  return Inspection{.attempt = row.Text(0),
                    .task = row.Text(1),
                    .plan = row.Text(2),
                    .epoch = row.Int64(3),
                    .base_commit = row.Text(4),
                    .patch_digest = row.Text(5),
                    .expected_tree = row.Text(6),
                    .title = row.Text(7),
                    .approver = row.Text(8),
                    .accepted = row.Bool(9),
                    .findings = std::move(findings),
                    .human_may_accept = row.Bool(11),
                    .commit = row.Text(12),
                    .tree = row.Text(13),
                    .paths = std::move(paths),
                    .added = row.Int(15),
                    .removed = row.Int(16),
                    .inspect_time = row.Time(17)};
}

absl::StatusOr<Candidate> ReadCandidate(const sqlite::Row& row) {
  constexpr MergeMethod kMethods[] = {MergeMethod::kFastPath, MergeMethod::kThreeWay,
                                      MergeMethod::kUnchanged};
  ASSIGN_OR_RETURN(const MergeMethod method, KindOf(row.Text(8), kMethods));
  return Candidate{.name = row.Text(0),
                   .plan = row.Text(1),
                   .task = row.Text(2),
                   .attempt = row.Text(3),
                   .source = row.Text(4),
                   .base = row.Text(5),
                   .commit = row.Text(6),
                   .tree = row.Text(7),
                   .method = method,
                   .validator_digest = row.Text(9),
                   .group = row.Text(11),
                   .create_time = row.Time(10)};
}

absl::StatusOr<Evidence> ReadEvidence(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(std::vector<ValidatorResult> results, ResultsFromStored(row.Text(5)));
  return Evidence{.project = row.Text(0),
                  .tree = row.Text(1),
                  .validator_digest = row.Text(2),
                  .attempt = row.Text(3),
                  .passed = row.Bool(4),
                  .results = std::move(results),
                  .record_time = row.Time(6)};
}

absl::StatusOr<GivenVerdict> ReadVerdict(const sqlite::Row& row) {
  constexpr VerdictKind kKinds[] = {VerdictKind::kPassed, VerdictKind::kGapsFound,
                                    VerdictKind::kHumanNeeded};
  ASSIGN_OR_RETURN(const VerdictKind kind, KindOf(row.Text(4), kKinds));
  ASSIGN_OR_RETURN(std::vector<std::string> gaps, TextsFromStored(row.Text(6)));
  return GivenVerdict{.candidate = row.Text(0),
                      .round = row.Int(1),
                      .roles = row.Text(2),
                      .prompt_digest = row.Text(3),
                      .verdict = {.kind = kind, .summary = row.Text(5), .gaps = std::move(gaps)},
                      .give_time = row.Time(7)};
}

absl::StatusOr<LandIntent> ReadIntent(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(std::vector<std::string> ahead, TextsFromStored(row.Text(5)));
  return LandIntent{.candidate = row.Text(0),
                    .ahead = std::move(ahead),
                    .ref = row.Text(1),
                    .expected = row.Text(2),
                    .target = row.Text(3),
                    .approver = row.Text(4)};
}

absl::StatusOr<Rollback> ReadRollback(const sqlite::Row& row) {
  ASSIGN_OR_RETURN(std::vector<std::string> undone, TextsFromStored(row.Text(8)));
  ASSIGN_OR_RETURN(std::vector<std::string> restored, TextsFromStored(row.Text(9)));
  return Rollback{.plan = row.Text(0),
                  .branch = row.Text(1),
                  .from = row.Text(2),
                  .target = row.Text(3),
                  .commit = row.Text(4),
                  .tree = row.Text(5),
                  .actor = row.Text(6),
                  .reason = row.Text(7),
                  .undone_tasks = std::move(undone),
                  .restored_tasks = std::move(restored),
                  .rollback_time = row.Time(10)};
}

Merged ReadMerged(const sqlite::Row& row) {
  return {.candidate = row.Text(0),
          .branch = row.Text(1),
          .from = row.Text(2),
          .commit = row.Text(3),
          .tree = row.Text(4),
          .detail = row.Text(5),
          .approver = row.Text(6),
          .merge_time = row.Time(7)};
}

}  // namespace slipway::reviewer
