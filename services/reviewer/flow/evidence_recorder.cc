#include "services/reviewer/flow/evidence_recorder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/feedback.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/stored_form.h"
#include "services/reviewer/domain/validator_output.h"

namespace slipway::reviewer {
namespace {

// Results come in the order of the plan; only after a failure may the rest be missing.
absl::Status CheckResults(const std::vector<Validator>& validators,
                          const std::vector<ValidatorResult>& results) {
  if (results.empty()) return ValidatorsDiffer("there are none");
  if (results.size() > validators.size()) return ValidatorsDiffer("there are too many");
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].validator != validators[i].name) {
      return ValidatorsDiffer(absl::StrCat("number ", i + 1, " must be of ", validators[i].name));
    }
  }
  const bool all_passed = std::all_of(results.begin(), results.end(),
                                      [](const ValidatorResult& result) { return result.passed; });
  if (all_passed && results.size() < validators.size()) {
    return ValidatorsDiffer(
        absl::StrCat("the one of ", validators[results.size()].name, " is missing"));
  }
  return absl::OkStatus();
}

ValidatorResult Bounded(ValidatorResult result) {
  if (result.output_tail.size() > kOutputTailBytesMax) {
    result.output_tail.erase(0, result.output_tail.size() - kOutputTailBytesMax);
  }
  if (result.failures.size() > kFailuresMax) result.failures.resize(kFailuresMax);
  for (std::string& failure : result.failures) failure = base::ToUtf8(failure, kFailureBytesMax);
  result.output_tail = base::ToUtf8(result.output_tail, kOutputTailBytesMax * 3);
  return result;
}

}  // namespace

absl::StatusOr<RecordedEvidence> EvidenceRecorder::Record(const EvidenceReport& report) {
  ASSIGN_OR_RETURN(const Candidate candidate, RequireCandidate(workshop_.store, report.candidate));
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, candidate.plan));
  RETURN_IF_ERROR(ParseAttempt(report.attempt).status());
  if (report.tree != candidate.tree) return TreeDiffers(report.tree, candidate.tree);
  if (report.validator_digest != candidate.validator_digest ||
      report.validator_digest != ValidatorDigest(plan.policy.validators)) {
    return ValidatorsDiffer("their digest is another one");
  }
  RETURN_IF_ERROR(CheckResults(plan.policy.validators, report.results));
  Evidence evidence{.project = plan.project,
                    .tree = report.tree,
                    .validator_digest = report.validator_digest,
                    .attempt = report.attempt,
                    .passed = true,
                    .record_time = workshop_.clock.Now()};
  for (size_t i = 0; i < report.results.size(); ++i) {
    ValidatorResult result = Bounded(report.results[i]);
    evidence.passed = evidence.passed && result.passed;
    // The format is the plan's: what a candidate prints does not say how it is read.
    if (!result.passed && result.failures.empty()) {
      result.failures = FailuresIn(plan.policy.validators[i].output_format, result.output_tail);
    }
    evidence.results.push_back(std::move(result));
  }
  RETURN_IF_ERROR(workshop_.store.AddEvidence(candidate, evidence));
  if (candidate.is_integration()) {
    RETURN_IF_ERROR(workshop_.store.AnnounceIntegration(
        candidate, evidence.passed ? "VALIDATED" : "FAILED", BranchRef(plan.target_branch),
        evidence.passed ? "the validators passed" : "the validators failed"));
  }
  return RecordedEvidence{.passed = evidence.passed, .feedback = FeedbackOf(evidence.results)};
}

}  // namespace slipway::reviewer
