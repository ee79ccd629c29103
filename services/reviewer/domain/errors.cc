#include "services/reviewer/domain/errors.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::reviewer {
namespace {

using absl::StatusCode;

// Text of others in a message: short and printable.
std::string Shown(absl::string_view text) {
  constexpr size_t kBytesMax = 200;
  return absl::CHexEscape(text.substr(0, kBytesMax));
}

}  // namespace

absl::Status EpochInvalid(absl::string_view attempt, int64_t epoch) {
  return base::Error(StatusCode::kInvalidArgument, "NAME_INVALID",
                     absl::StrCat("the id of attempt ", attempt, " is not its epoch ", epoch),
                     {{"attempt", Shown(attempt)}, {"epoch", absl::StrCat(epoch)}});
}

absl::Status OidInvalid(absl::string_view text) {
  return base::Error(
      StatusCode::kInvalidArgument, "OID_INVALID",
      absl::StrCat("\"", Shown(text),
                   "\" is not the id of a commit: give 40 lower-case hexadecimal digits"),
      {{"text", Shown(text)}});
}

absl::Status PathInvalid(absl::string_view path, absl::string_view problem) {
  return base::Error(StatusCode::kInvalidArgument, "PATH_INVALID",
                     absl::StrCat("the path ", Shown(path), " is not valid: ", problem),
                     {{"path", Shown(path)}, {"problem", Shown(problem)}});
}

absl::Status PageInvalid(absl::string_view problem) {
  return base::Error(StatusCode::kInvalidArgument, "PAGE_INVALID",
                     absl::StrCat("the page cannot be read: ", problem),
                     {{"problem", Shown(problem)}});
}

absl::Status PolicyInvalid(absl::string_view field, absl::string_view problem) {
  return base::Error(StatusCode::kInvalidArgument, "POLICY_INVALID",
                     absl::StrCat(field, " ", problem),
                     {{"field", Shown(field)}, {"problem", Shown(problem)}});
}

absl::Status ValidatorNotAllowed(absl::string_view validator, absl::string_view program,
                                 absl::string_view allowed) {
  return base::Error(
      StatusCode::kInvalidArgument, "VALIDATOR_NOT_ALLOWED",
      absl::StrCat("the validator ", Shown(validator), " runs ", Shown(program),
                   ", which is none of the programs that validators may run here: ",
                   allowed.empty() ? "there are none" : allowed),
      {{"validator", Shown(validator)}, {"program", Shown(program)}, {"allowed", Shown(allowed)}});
}

absl::Status LocationInvalid(absl::string_view location, absl::string_view problem) {
  return base::Error(StatusCode::kInvalidArgument, "LOCATION_INVALID",
                     absl::StrCat("the location ", Shown(location), " cannot be used: ", problem),
                     {{"location", Shown(location)}, {"problem", Shown(problem)}});
}

absl::Status BranchInvalid(absl::string_view branch, absl::string_view problem) {
  return base::Error(StatusCode::kInvalidArgument, "BRANCH_INVALID",
                     absl::StrCat("the branch name ", Shown(branch), " is not valid: ", problem),
                     {{"branch", Shown(branch)}, {"problem", Shown(problem)}});
}

absl::Status RepositoryUnreachable(absl::string_view location, absl::string_view problem) {
  return base::Error(
      StatusCode::kUnavailable, "REPOSITORY_UNREACHABLE",
      absl::StrCat("the repository ", Shown(location), " cannot be reached: ", problem),
      {{"location", Shown(location)}, {"problem", Shown(problem)}});
}

absl::Status RepositoryAuthRefused(absl::string_view location, absl::string_view problem) {
  return base::Error(
      StatusCode::kPermissionDenied, "REPOSITORY_AUTH_REFUSED",
      absl::StrCat("the repository ", Shown(location), " refuses the credentials: ", problem),
      {{"location", Shown(location)}, {"problem", Shown(problem)}});
}

absl::Status RepositoryHostUnknown(absl::string_view location, absl::string_view problem) {
  return base::Error(StatusCode::kFailedPrecondition, "REPOSITORY_HOST_UNKNOWN",
                     absl::StrCat("the host of ", Shown(location),
                                  " has no key or certificate that is trusted: ", problem),
                     {{"location", Shown(location)}, {"problem", Shown(problem)}});
}

absl::Status RepositoryTooLarge(absl::string_view location, absl::string_view problem) {
  return base::Error(StatusCode::kResourceExhausted, "REPOSITORY_TOO_LARGE",
                     absl::StrCat("the repository ", Shown(location), " is too large: ", problem),
                     {{"location", Shown(location)}, {"problem", Shown(problem)}});
}

absl::Status PushRefused(absl::string_view location, absl::string_view branch,
                         absl::string_view problem) {
  return base::Error(
      StatusCode::kFailedPrecondition, "PUSH_REFUSED",
      absl::StrCat("the repository ", Shown(location), " does not take ", Shown(branch), ": ",
                   problem),
      {{"location", Shown(location)}, {"branch", Shown(branch)}, {"problem", Shown(problem)}});
}

absl::Status NotARepository(absl::string_view location, absl::string_view problem) {
  return base::Error(StatusCode::kFailedPrecondition, "NOT_A_REPOSITORY",
                     absl::StrCat(Shown(location), " is not a git repository: ", problem),
                     {{"location", Shown(location)}, {"problem", Shown(problem)}});
}

absl::Status RepositoryEmpty(absl::string_view location) {
  return base::Error(
      StatusCode::kFailedPrecondition, "REPOSITORY_EMPTY",
      absl::StrCat("the repository ", Shown(location), " has no commit yet: make a first one"),
      {{"location", Shown(location)}});
}

absl::Status RepositoryDirty(absl::string_view location) {
  return base::Error(StatusCode::kFailedPrecondition, "REPOSITORY_DIRTY",
                     absl::StrCat("the work tree ", Shown(location),
                                  " has changes that are not committed: commit or stash them"),
                     {{"location", Shown(location)}});
}

absl::Status BranchMissing(absl::string_view location, absl::string_view branch) {
  return base::Error(
      StatusCode::kFailedPrecondition, "BRANCH_MISSING",
      absl::StrCat("the repository ", Shown(location), " has no branch ", Shown(branch)),
      {{"location", Shown(location)}, {"branch", Shown(branch)}});
}

absl::Status BranchTaken(absl::string_view location, absl::string_view branch) {
  return base::Error(StatusCode::kFailedPrecondition, "BRANCH_TAKEN",
                     absl::StrCat("the repository ", Shown(location), " has another branch ",
                                  Shown(branch), ": rename or delete it"),
                     {{"location", Shown(location)}, {"branch", Shown(branch)}});
}

absl::Status ProjectUnknown(absl::string_view project) {
  return base::Error(StatusCode::kNotFound, "PROJECT_UNKNOWN",
                     absl::StrCat("no plan of ", Shown(project), " was ever opened"),
                     {{"project", Shown(project)}});
}

absl::Status BatchTooLarge(int changes, int changes_max) {
  return base::Error(StatusCode::kInvalidArgument, "BATCH_TOO_LARGE",
                     absl::StrCat(changes, " changes in one call; send at most ", changes_max));
}

absl::Status PlanUnknown(absl::string_view plan) {
  return base::Error(StatusCode::kNotFound, "PLAN_UNKNOWN",
                     absl::StrCat("the plan ", Shown(plan), " is not open"),
                     {{"plan", Shown(plan)}});
}

absl::Status CommitUnknown(absl::string_view commit) {
  return base::Error(StatusCode::kNotFound, "COMMIT_UNKNOWN",
                     absl::StrCat("the mirror has no commit ", Shown(commit)),
                     {{"commit", Shown(commit)}});
}

absl::Status FileUnknown(absl::string_view path) {
  return base::Error(StatusCode::kNotFound, "FILE_UNKNOWN",
                     absl::StrCat("the commit has no file ", Shown(path)), {{"path", Shown(path)}});
}

absl::Status FileTooLarge(absl::string_view path, int64_t bytes_max) {
  return base::Error(StatusCode::kOutOfRange, "FILE_TOO_LARGE",
                     absl::StrCat(Shown(path), " is larger than ", bytes_max, " bytes"),
                     {{"path", Shown(path)}, {"bytes_max", absl::StrCat(bytes_max)}});
}

absl::Status ChangeUnknown(absl::string_view name) {
  return base::Error(StatusCode::kNotFound, "CHANGE_UNKNOWN",
                     absl::StrCat(Shown(name), " has no accepted patch"), {{"name", Shown(name)}});
}

absl::Status CandidateUnknown(absl::string_view candidate) {
  return base::Error(StatusCode::kNotFound, "CANDIDATE_UNKNOWN",
                     absl::StrCat("there is no candidate ", Shown(candidate)),
                     {{"candidate", Shown(candidate)}});
}

absl::Status PlanOpen(absl::string_view plan) {
  return base::Error(StatusCode::kAlreadyExists, "PLAN_OPEN",
                     absl::StrCat("the plan ", plan, " is open with other settings"),
                     {{"plan", Shown(plan)}});
}

absl::Status BaseUnknown(absl::string_view commit) {
  return base::Error(
      StatusCode::kFailedPrecondition, "BASE_UNKNOWN",
      absl::StrCat("the base ", Shown(commit), " is not a commit of the plan's branch"),
      {{"commit", Shown(commit)}});
}

absl::Status PatchDiffers(absl::string_view attempt) {
  return base::Error(StatusCode::kAlreadyExists, "PATCH_DIFFERS",
                     absl::StrCat("the attempt ", attempt, " handed in another patch before"),
                     {{"attempt", Shown(attempt)}});
}

absl::Status TreeDiffers(absl::string_view given, absl::string_view wanted) {
  return base::Error(
      StatusCode::kFailedPrecondition, "TREE_DIFFERS",
      absl::StrCat("the validators ran on the tree ", Shown(given), ", the candidate has ", wanted),
      {{"given", Shown(given)}, {"wanted", Shown(wanted)}});
}

absl::Status ValidatorsDiffer(absl::string_view problem) {
  return base::Error(StatusCode::kFailedPrecondition, "VALIDATORS_DIFFER",
                     absl::StrCat("the results are not those of the plan's validators: ", problem),
                     {{"problem", Shown(problem)}});
}

absl::Status VerdictUnreadable(absl::string_view role, absl::string_view problem) {
  return base::Error(StatusCode::kAborted, "VERDICT_UNREADABLE",
                     absl::StrCat("the reply of ", role, " is not a verdict: ", problem),
                     {{"role", Shown(role)}, {"problem", Shown(problem)}});
}

absl::Status DiagnosisUnreadable(absl::string_view role, absl::string_view problem) {
  return base::Error(StatusCode::kAborted, "DIAGNOSIS_UNREADABLE",
                     absl::StrCat("the reply of ", role, " is not a diagnosis: ", problem),
                     {{"role", Shown(role)}, {"problem", Shown(problem)}});
}

absl::Status RoundInvalid(int round) {
  return base::Error(StatusCode::kInvalidArgument, "ROUND_INVALID",
                     absl::StrCat("rounds of judging count from 1, not ", round),
                     {{"round", absl::StrCat(round)}});
}

absl::Status EvidenceMissing(absl::string_view tree) {
  return base::Error(StatusCode::kFailedPrecondition, "EVIDENCE_MISSING",
                     absl::StrCat("the validators have not run on the tree ", tree),
                     {{"tree", Shown(tree)}});
}

absl::Status EvidenceFailed(absl::string_view tree) {
  return base::Error(StatusCode::kFailedPrecondition, "EVIDENCE_FAILED",
                     absl::StrCat("the validators failed on the tree ", tree),
                     {{"tree", Shown(tree)}});
}

absl::Status VerdictMissing(absl::string_view candidate) {
  return base::Error(
      StatusCode::kFailedPrecondition, "VERDICT_MISSING",
      absl::StrCat("the candidate ", candidate, " has neither passed the review nor been approved"),
      {{"candidate", Shown(candidate)}});
}

absl::Status TaskNotMerged(absl::string_view task) {
  return base::Error(StatusCode::kNotFound, "TASK_NOT_MERGED",
                     absl::StrCat("no change of ", Shown(task), " has landed on its plan's branch"),
                     {{"task", Shown(task)}});
}

absl::Status LandingUnderWay(absl::string_view branch) {
  return base::Error(StatusCode::kAborted, "LANDING_UNDER_WAY",
                     absl::StrCat("a change is landing on ", branch, " at this moment"),
                     {{"branch", std::string(branch)}});
}

absl::Status PlanIntegrated(absl::string_view plan, absl::string_view commit) {
  return base::Error(StatusCode::kFailedPrecondition, "PLAN_INTEGRATED",
                     absl::StrCat(plan, " was integrated as ", commit,
                                  ": revert that commit on the branch that it went to"),
                     {{"plan", std::string(plan)}, {"commit", std::string(commit)}});
}

absl::Status BranchMoved(absl::string_view branch) {
  return base::Error(
      StatusCode::kAborted, "BRANCH_MOVED",
      absl::StrCat("the branch ", branch, " moved since the candidate was built: build a new one"),
      {{"branch", Shown(branch)}});
}

absl::Status QueueWaiting(absl::string_view attempt, absl::string_view why) {
  return base::RetryableError(StatusCode::kAborted, "QUEUE_WAITING",
                              absl::StrCat("the change of ", Shown(attempt), " waits: ", why),
                              absl::Seconds(2), {{"attempt", Shown(attempt)}, {"why", Shown(why)}});
}

absl::Status StoredFormInvalid(absl::string_view problem) {
  return base::Error(StatusCode::kInternal, "STORED_FORM_INVALID",
                     absl::StrCat("a stored document cannot be read: ", problem),
                     {{"problem", Shown(problem)}});
}

}  // namespace slipway::reviewer
