#include "services/reviewer/flow/evidence_recorder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/head_and_tail.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/policy/secret_scanner.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/feedback.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/stored_form.h"
#include "services/reviewer/domain/validator_output.h"

namespace slipway::reviewer {
namespace {

metrics::Counter validations({.name = "slipway_reviewer_validations_total",
                              .description = "Runs of a plan's validators on a tree.",
                              .labels = {"outcome"}});

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

// Without credentials, whatever agent it comes from: people read it, and models as feedback.
ValidatorResult Bounded(ValidatorResult result) {
  if (result.failures.size() > kFailuresMax) result.failures.resize(kFailuresMax);
  for (std::string& failure : result.failures) {
    failure = base::ToUtf8(policy::RedactSecrets(failure).text, kFailureBytesMax);
  }
  const std::string output = policy::RedactSecrets(result.output_tail).text;
  result.output_tail = base::HeadAndTail(base::ToUtf8(output, output.size() * 3), kOutputHeadBytes,
                                         kOutputTailBytesMax);
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
  ASSIGN_OR_RETURN(std::vector<Evidence> failures,
                   workshop_.store.ListFailures(plan.project, evidence.tree,
                                                evidence.validator_digest, candidate.attempt));
  // A repeat takes the place of what it repeats.
  std::erase_if(failures,
                [&](const Evidence& earlier) { return earlier.attempt == evidence.attempt; });
  evidence.flaky = FlakyIn(failures, evidence.results);
  evidence.rerun =
      !evidence.passed && static_cast<int>(failures.size()) < workshop_.flaky_reruns_max;
  RETURN_IF_ERROR(workshop_.store.AddEvidence(candidate, evidence));
  validations.Increment({evidence.passed  ? (evidence.flaky.empty() ? "passed" : "flaky")
                         : evidence.rerun ? "rerun"
                                          : "failed"});
  if (!evidence.flaky.empty()) {
    log::Warning("validators are flaky", {{"plan", plan.name},
                                          {"tree", evidence.tree},
                                          {"validators", absl::StrJoin(evidence.flaky, ",")}});
  }
  if (candidate.is_integration() && !evidence.rerun) {
    RETURN_IF_ERROR(workshop_.store.AnnounceIntegration(
        candidate, evidence.passed ? "VALIDATED" : "FAILED", BranchRef(plan.target_branch),
        evidence.passed ? "the validators passed" : "the validators failed"));
  }
  RecordedEvidence recorded{
      .passed = evidence.passed, .rerun = evidence.rerun, .flaky = evidence.flaky};
  if (evidence.passed) return recorded;
  failures.push_back(evidence);
  recorded.feedback = FeedbackOfRuns(failures);
  if (evidence.rerun) return recorded;
  ASSIGN_OR_RETURN(const bool resolved, IsResolved(plan, candidate));
  recorded.unresolved = !resolved;
  if (resolved && !candidate.is_integration()) {
    RETURN_IF_ERROR(workshop_.store.AddRejection(plan.name, candidate.attempt));
  }
  return recorded;
}

// On what has landed nothing but the change itself can be at fault.
absl::StatusOr<bool> EvidenceRecorder::IsResolved(const Plan& plan, const Candidate& candidate) {
  if (candidate.is_integration()) return true;
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(candidate.name));
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(BranchRef(plan.branch)));
  return tip.ToHex() == candidate.base;
}

}  // namespace slipway::reviewer
