#include "services/dispatcher/simulator/sim_services.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::dispatcher::simulator {
namespace {

using absl::StrCat;
using base::Error;

absl::Status Away() { return absl::UnavailableError("the connection broke"); }

}  // namespace

void SimReviewer::CheckStored(const AttemptKey& attempt) {
  const absl::StatusOr<ChangeResult> change = world_.store->ReadChange(attempt);
  if (!change.ok()) {
    world_.Breach(
        StrCat("the change of ", attempt.Name(), " is not stored: ", change.status().ToString()));
  } else if (change->summary != attempt.Name()) {
    world_.Breach(StrCat("the change of ", attempt.Name(), " was made by ", change->summary));
  }
}

void SimReviewer::Review(std::vector<ReviewStep> steps, Done<ReviewOutcomes> done) {
  for (const ReviewStep& step : steps) CheckStored(step.inspection.attempt);
  if (steps.size() > 1) world_.Count("reviews of several changes");
  CallService<absl::StatusOr<ReviewOutcomes>>(
      world_, std::move(done),
      [this, steps]() -> absl::StatusOr<ReviewOutcomes> {
        ReviewOutcomes outcomes;
        for (const ReviewStep& step : steps) outcomes.push_back(ReviewNow(step));
        return outcomes;
      },
      Away());
}

absl::StatusOr<ReviewOutcome> SimReviewer::ReviewNow(const ReviewStep& step) {
  absl::StatusOr<Inspection> inspection = InspectNow(step.inspection);
  if (!inspection.ok()) return inspection.status();
  ReviewOutcome outcome{.inspection = *std::move(inspection)};
  if (!outcome.inspection.accepted) return outcome;
  const absl::StatusOr<CandidateOutcome> built = BuildNow({.attempt = step.inspection.attempt});
  if (!built.ok()) return outcome;
  outcome.candidate = *built;
  const auto* const candidate = std::get_if<Candidate>(&*built);
  const bool runs =
      candidate != nullptr && !candidate->evidence_passed && !candidate->validators.empty();
  if (candidate == nullptr || runs) return outcome;
  if (world_.Chance(20)) return outcome;  // A model has to be asked.
  JudgeStep judge = step.judge;
  judge.candidate = candidate->name;
  const absl::StatusOr<Judgement> judgement = JudgeNow(judge);
  if (!judgement.ok()) return outcome;
  outcome.judgement = *judgement;
  if (judgement->verdict != Verdict::kPassed) return outcome;
  const absl::StatusOr<Merged> merged = MergeNow({.candidate = candidate->name});
  if (merged.ok()) outcome.merged = *merged;
  return outcome;
}

void SimReviewer::Inspect(const InspectStep& step, Done<Inspection> done) {
  CheckStored(step.attempt);
  CallService<absl::StatusOr<Inspection>>(
      world_, std::move(done), [this, step] { return InspectNow(step); }, Away());
}

absl::StatusOr<Inspection> SimReviewer::InspectNow(const InspectStep& step) {
  if (world_.Chance(2)) return Error(absl::StatusCode::kInternal, "ODD", "something odd");
  if (!step.approver.empty() || !world_.Chance(refusals_percent_))
    return Inspection{.accepted = true};
  world_.Count("patches refused");
  return Inspection{.reasons = {{.code = "SYMLINK", .path = "a", .detail = "leaves the tree"}},
                    .human_may_accept = world_.Chance(30)};
}

void SimReviewer::CreateCandidate(const CandidateStep& step, Done<CandidateOutcome> done) {
  CallService<absl::StatusOr<CandidateOutcome>>(
      world_, std::move(done), [this, step] { return BuildNow(step); }, Away());
}

absl::StatusOr<CandidateOutcome> SimReviewer::BuildNow(const CandidateStep& step) {
  const bool integrates = !step.plan.empty();
  const std::string plan = integrates ? step.plan : step.attempt.task.plan.str();
  if (!integrates && world_.mutant != Mutant::kMergedTwice) {
    const auto landed = landings_.find(step.attempt.task);
    if (landed != landings_.end() &&
        (landed->second.attempt == step.attempt || landed->second.with_another)) {
      world_.Count(landed->second.attempt == step.attempt ? "candidates that had landed"
                                                          : "attempts after one that had landed");
      return MergedAt(landed->second.commit, plan);
    }
  }
  if (!integrates && world_.Chance(6)) {
    world_.Count("conflicts");
    return Conflict{.paths = {{.path = "a", .kind = "content", .hunks = "<<<<"}}};
  }
  if (!integrates && world_.Chance(8)) {
    world_.Count("changes queued");
    return Queued{.detail = "changes ahead are being tried"};
  }
  if (!integrates && world_.Chance(3)) {
    world_.Count("changes rejected by the queue");
    return Rejected{.feedback = "tests: red"};
  }
  const int base = tips_[plan];
  const std::string change = integrates ? plan : step.attempt.Name();
  Candidate candidate{.name = StrCat(change, "/candidates/", base),
                      .commit = StrCat("candidate of ", change, " on ", base),
                      .tree = StrCat("tree of ", change, " on ", base),
                      .validator_digest = "digest"};
  Built& built = candidates_[candidate.name];
  built.attempt = step.attempt;
  built.plan = step.plan;
  built.base = base;
  candidate.evidence_passed = built.evidence.value_or(false);
  if (plan.size() % 2 == 0 || plan.back() % 2 == 0) candidate.validators = {{.name = "tests"}};
  return candidate;
}

void SimReviewer::RecordEvidence(const EvidenceStep& step, Done<EvidenceOutcome> done) {
  const absl::StatusOr<EvidenceResult> evidence = world_.store->ReadEvidence(step.attempt);
  if (!evidence.ok()) {
    return world_.Breach(StrCat("the evidence of ", step.attempt.Name(), " is not stored"));
  }
  CallService<absl::StatusOr<EvidenceOutcome>>(
      world_, std::move(done),
      [this, candidate = step.candidate, evidence = *evidence] {
        return RecordNow(candidate, evidence);
      },
      Away());
}

absl::StatusOr<EvidenceOutcome> SimReviewer::RecordNow(const std::string& candidate,
                                                       const EvidenceResult& evidence) {
  const auto built = candidates_.find(candidate);
  if (built == candidates_.end()) {
    return Error(absl::StatusCode::kNotFound, "CANDIDATE_UNKNOWN", candidate);
  }
  const bool passed =
      std::all_of(evidence.outcomes.begin(), evidence.outcomes.end(),
                  [](const ValidatorOutcome& outcome) { return outcome.exit_code == 0; });
  if (!passed && !built->second.evidence.has_value() && world_.Chance(30)) {
    world_.Count("validators to run again");
    return EvidenceOutcome{.feedback = "tests: red", .rerun = true};
  }
  if (!passed && world_.Chance(20)) {
    world_.Count("failures of a change ahead");
    return EvidenceOutcome{.feedback = "tests: red", .unresolved = true};
  }
  if (!built->second.evidence.has_value()) built->second.evidence = passed;
  return EvidenceOutcome{.passed = *built->second.evidence,
                         .feedback = *built->second.evidence ? "" : "tests: red"};
}

void SimReviewer::Judge(const JudgeStep& step, Done<Judgement> done) {
  CallService<absl::StatusOr<Judgement>>(
      world_, std::move(done), [this, step] { return JudgeNow(step); }, Away());
}

absl::StatusOr<Judgement> SimReviewer::JudgeNow(const JudgeStep& step) {
  if (world_.Chance(4)) {
    return Error(absl::StatusCode::kResourceExhausted, "BUDGET_DENIED", "no money");
  }
  if (world_.Chance(4)) return Error(absl::StatusCode::kUnavailable, "GATE_CLOSED", "closed");
  if (world_.Chance(8)) return Judgement{.verdict = Verdict::kGapsFound, .gaps = {"no test"}};
  if (world_.Chance(3)) return Judgement{.verdict = Verdict::kHumanNeeded, .summary = "wanted?"};
  candidates_[step.candidate].judged = true;
  return Judgement{.verdict = Verdict::kPassed};
}

void SimReviewer::Diagnose(const DiagnosisStep& step, Done<Diagnosis> done) {
  CallService<absl::StatusOr<Diagnosis>>(
      world_, std::move(done), [this, step] { return DiagnoseNow(step); }, Away());
}

absl::StatusOr<Diagnosis> SimReviewer::DiagnoseNow(const DiagnosisStep& step) {
  if (world_.Chance(10)) {
    return Error(absl::StatusCode::kResourceExhausted, "BUDGET_DENIED", "no money left");
  }
  if (world_.Chance(10)) return Diagnosis();
  world_.Count("diagnoses");
  return Diagnosis{.cause = absl::StrCat("why of ", step.checkpoint.Name()),
                   .guidance = "another way",
                   .advice = world_.Chance(50) ? Decision::kRetry : Decision::kSkip,
                   .role = "frontier_reviewer"};
}

void SimReviewer::Merge(const MergeStep& step, Done<Merged> done) {
  CallService<absl::StatusOr<Merged>>(
      world_, std::move(done), [this, step] { return MergeNow(step); }, Away());
}

absl::StatusOr<Merged> SimReviewer::MergeNow(const MergeStep& step) {
  const auto found = candidates_.find(step.candidate);
  if (found == candidates_.end()) {
    return Error(absl::StatusCode::kNotFound, "CANDIDATE_UNKNOWN", step.candidate);
  }
  const Built& built = found->second;
  if (!built.plan.empty()) {
    std::string& commit = integrations_[built.plan];
    if (commit.empty()) commit = StrCat("integration of ", built.plan);
    return Merged{.branch = "main", .commit = commit};
  }
  const TaskKey& task = built.attempt.task;
  const auto landed = landings_.find(task);
  if (landed != landings_.end() && world_.mutant != Mutant::kMergedTwice) {
    // A person may have the task done again while another landing takes it along.
    if (landed->second.attempt != built.attempt && !landed->second.with_another) {
      world_.Breach(
          StrCat(built.attempt.Name(), " is merged after ", landed->second.attempt.Name()));
    }
    return MergedAt(landed->second.commit, task.plan);
  }
  if (world_.Chance(6)) {
    world_.Count("landings that waited");
    ready_.insert(built.attempt);
    return Error(absl::StatusCode::kAborted, "QUEUE_WAITING", "changes ahead have yet to land");
  }
  if (built.base != tips_[task.plan] || world_.Chance(6)) {
    world_.Count("branches moved");
    return Error(absl::StatusCode::kAborted, "BRANCH_MOVED", "the branch moved");
  }
  for (const AttemptKey& ahead : step.queue) {
    if (ahead == built.attempt) break;
    if (ready_.erase(ahead) == 0 || landings_.count(ahead.task) > 0) continue;
    world_.Count("changes that landed with another");
    Land(ahead, /*with_another=*/true);
  }
  return MergedAt(Land(built.attempt, /*with_another=*/false), task.plan);
}

std::string SimReviewer::Land(const AttemptKey& attempt, bool with_another) {
  const int number = ++tips_[attempt.task.plan];
  const std::string commit = CommitOf(number, attempt.task.plan);
  if (landings_.count(attempt.task) > 0) {
    world_.Breach(StrCat("I4: ", attempt.task.Name(), " is merged again, as ", commit));
  }
  landings_[attempt.task] = {
      .attempt = attempt, .commit = commit, .number = number, .with_another = with_another};
  world_.Count("merges");
  return commit;
}

std::string SimReviewer::CommitOf(int number, const std::string& plan) {
  return StrCat("commit ", number, " of ", plan);
}

Merged SimReviewer::MergedAt(const std::string& commit, const std::string& plan) {
  return {.branch = "branch", .commit = commit, .tip = CommitOf(tips_[plan], plan)};
}

bool SimReviewer::Holds(const std::string& commit, const TaskKey& landed) const {
  const auto landing = landings_.find(landed);
  if (landing == landings_.end()) return false;
  const auto tip = tips_.find(landed.plan);
  for (int number = landing->second.number; number <= tip->second; ++number) {
    if (CommitOf(number, landed.plan) == commit) return true;
  }
  return false;
}

void SimModels::IssueKey(const KeyRequest& request,
                         absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&> done) {
  CallService<absl::StatusOr<IssuedKey>>(
      world_, std::move(done),
      [this, key = request.attempt]() -> absl::StatusOr<IssuedKey> {
        if (world_.Chance(2)) return Error(absl::StatusCode::kInvalidArgument, "ROLE", "no model");
        if (revoked_.count(key) == 0) {
          if (!open_.insert(key).second) world_.Count("keys replaced");
        } else {
          world_.Count("keys issued late");
        }
        return IssuedKey{.key = "key", .proxy_address = "unix:proxy"};
      },
      Away());
}

void SimModels::RevokeKeys(const AttemptKey& attempt,
                           absl::AnyInvocable<void(absl::Status) &&> done) {
  CallService<absl::Status>(
      world_, std::move(done),
      [this, attempt] {
        if (world_.mutant != Mutant::kKeysNeverRevoked) {
          open_.erase(attempt);
          revoked_.insert(attempt);
        }
        return absl::OkStatus();
      },
      Away());
}

}  // namespace slipway::dispatcher::simulator
