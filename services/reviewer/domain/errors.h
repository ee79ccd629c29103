#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Every error that the reviewer itself returns. Errors of the models service pass through.
namespace slipway::reviewer {

// Names and ids. INVALID_ARGUMENT.
absl::Status EpochInvalid(absl::string_view attempt, int64_t epoch);  // NAME_INVALID
absl::Status OidInvalid(absl::string_view text);
absl::Status BatchTooLarge(int changes, int changes_max);
absl::Status PathInvalid(absl::string_view path, absl::string_view problem);
absl::Status PageInvalid(absl::string_view problem);
absl::Status PolicyInvalid(absl::string_view field, absl::string_view problem);
// `allowed` is what there is instead, as a person reads it.
absl::Status ValidatorNotAllowed(absl::string_view validator, absl::string_view program,
                                 absl::string_view allowed);

// Repositories.
absl::Status LocationInvalid(absl::string_view location, absl::string_view problem);
absl::Status BranchInvalid(absl::string_view branch, absl::string_view problem);
absl::Status RepositoryUnreachable(absl::string_view location, absl::string_view problem);
absl::Status RepositoryAuthRefused(absl::string_view location, absl::string_view problem);
absl::Status RepositoryHostUnknown(absl::string_view location, absl::string_view problem);
absl::Status RepositoryTooLarge(absl::string_view location, absl::string_view problem);
absl::Status PushRefused(absl::string_view location, absl::string_view branch,
                         absl::string_view problem);
absl::Status NotARepository(absl::string_view location, absl::string_view problem);
absl::Status RepositoryEmpty(absl::string_view location);
absl::Status RepositoryDirty(absl::string_view location);
absl::Status BranchMissing(absl::string_view location, absl::string_view branch);
absl::Status BranchTaken(absl::string_view location, absl::string_view branch);

// Reads.
absl::Status ProjectUnknown(absl::string_view project);
absl::Status PlanUnknown(absl::string_view plan);
absl::Status CommitUnknown(absl::string_view commit);
absl::Status FileUnknown(absl::string_view path);
absl::Status FileTooLarge(absl::string_view path, int64_t bytes_max);
absl::Status ChangeUnknown(absl::string_view name);
absl::Status CandidateUnknown(absl::string_view candidate);

// Steps of a review.
absl::Status PlanOpen(absl::string_view plan);
absl::Status BaseUnknown(absl::string_view commit);
absl::Status PatchDiffers(absl::string_view attempt);
absl::Status TreeDiffers(absl::string_view given, absl::string_view wanted);
absl::Status ValidatorsDiffer(absl::string_view problem);
absl::Status DiagnosisUnreadable(absl::string_view role, absl::string_view problem);
absl::Status VerdictUnreadable(absl::string_view role, absl::string_view problem);
absl::Status RoundInvalid(int round);
absl::Status EvidenceMissing(absl::string_view tree);
absl::Status EvidenceFailed(absl::string_view tree);
absl::Status VerdictMissing(absl::string_view candidate);
absl::Status TaskNotMerged(absl::string_view task);      // NOT_FOUND
absl::Status LandingUnderWay(absl::string_view branch);  // ABORTED
absl::Status PlanIntegrated(absl::string_view plan,
                            absl::string_view commit);  // FAILED_PRECONDITION
absl::Status BranchMoved(absl::string_view branch);
absl::Status QueueWaiting(absl::string_view attempt, absl::string_view why);  // ABORTED

// Stored data that this program did not write.
absl::Status StoredFormInvalid(absl::string_view problem);

}  // namespace slipway::reviewer
