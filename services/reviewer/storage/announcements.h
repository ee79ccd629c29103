#pragma once

#include <string>
#include <vector>

#include "lib/events/event.h"
#include "services/reviewer/domain/change.h"

// The events by which the reviewer tells what it did, one for each kind.
namespace slipway::reviewer {

events::EventDraft PatchInspected(const Inspection& inspection);  // patch.accepted or .refused
events::EventDraft CandidateCreated(const Candidate& candidate);
events::EventDraft CandidateConflicted(const Candidate& tried,
                                       const std::vector<std::string>& paths);
events::EventDraft EvidenceRecorded(const Candidate& candidate, const Evidence& evidence);
events::EventDraft VerdictGiven(const Candidate& candidate, const GivenVerdict& verdict);
events::EventDraft ChangeMerged(const Candidate& candidate, const Merged& merged);

// What IntegrationChanged says besides the candidate.
struct IntegrationNews {
  std::string state;  // "CANDIDATE", "MERGED", ...
  std::string target;
  std::string detail;
};
events::EventDraft BranchReturned(const Rollback& rollback);
events::EventDraft IntegrationChanged(const Candidate& candidate, const IntegrationNews& news);

}  // namespace slipway::reviewer
