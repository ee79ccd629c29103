#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/domain/checkpoint.h"
#include "services/dispatcher/domain/task.h"

namespace slipway::dispatcher {

struct InspectStep {
  AttemptKey attempt;  // The patch is read from the store.
  std::string base_commit;
  std::vector<std::string> allowed_paths;
  std::string title;
  std::string approver;
};

struct RefusalReason {
  std::string code;
  std::string path;
  std::string detail;
};

struct Inspection {
  bool accepted = false;
  std::vector<RefusalReason> reasons;
  bool human_may_accept = false;
};

struct CandidateStep {
  std::string plan;               // Set for an integration...
  AttemptKey attempt;             // ...else the attempt whose change is merged.
  std::vector<AttemptKey> queue;  // Of the plan, as they are to land.
};

struct Conflict {
  struct Path {
    std::string path;
    std::string kind;
    std::string hunks;
  };
  std::vector<Path> paths;
};

struct Merged {
  std::string branch;
  std::string commit;
  std::string detail;
  std::string tip;  // Where the branch is now; empty for an integration.
};

// It waits in the plan's merge queue.
struct Queued {
  std::string detail;
};

// It leaves the queue: its validators failed, and nothing ahead of it can be the cause.
struct Rejected {
  std::string feedback;
};

using CandidateOutcome = std::variant<Candidate, Conflict, Merged, Queued, Rejected>;

struct EvidenceStep {
  std::string candidate;
  AttemptKey attempt;  // The evidence is read from the store.
};

struct EvidenceOutcome {
  bool passed = false;
  std::string feedback;
  bool rerun = false;              // The same validators are to run on the same tree again.
  bool unresolved = false;         // A change ahead that has not landed may be the cause.
  std::vector<std::string> flaky;  // Validators that both failed and passed on the tree.
};

struct JudgeStep {
  std::string candidate;
  std::string title;
  std::string description;
  std::vector<std::string> acceptance;
  bool critical = false;
  int round = 1;
};

enum class Verdict { kPassed, kGapsFound, kHumanNeeded };

struct Judgement {
  Verdict verdict = Verdict::kHumanNeeded;
  std::string summary;
  std::vector<std::string> gaps;
};

struct DiagnosisStep {
  CheckpointKey checkpoint;
  std::string question;
  std::string title;
  std::string description;
  std::vector<std::string> acceptance;
  std::vector<std::string> allowed_paths;
  std::vector<std::string> feedback;  // Oldest first, as the attempts.
  std::vector<std::string> attempts;
};

struct MergeStep {
  std::string candidate;
  std::string approver;
  std::vector<AttemptKey> queue;  // Of the plan, as they are to land.
};

// What a change needs for every step that needs no agent, model or person.
struct ReviewStep {
  InspectStep inspection;
  JudgeStep judge;  // Its candidate is yet to be made.
};

// What the steps gave; those that were not reached are absent.
struct ReviewOutcome {
  Inspection inspection;
  std::optional<CandidateOutcome> candidate;
  std::optional<Judgement> judgement;
  std::optional<Merged> merged;
};

// By change, in the order in which they were asked for: an error when not even the inspection was
// reached.
using ReviewOutcomes = std::vector<absl::StatusOr<ReviewOutcome>>;

// The steps between a change and its branch. Every step may be repeated. Calls do not block; the
// callback comes once, on any thread, and must not block either.
class Reviewer {
 public:
  template <typename T>
  using Done = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

  virtual ~Reviewer() = default;
  virtual void Inspect(const InspectStep& step, Done<Inspection> done) = 0;
  virtual void CreateCandidate(const CandidateStep& step, Done<CandidateOutcome> done) = 0;
  virtual void RecordEvidence(const EvidenceStep& step, Done<EvidenceOutcome> done) = 0;
  virtual void Judge(const JudgeStep& step, Done<Judgement> done) = 0;
  // Without a role and a problem when the project wants no diagnosis.
  virtual void Diagnose(const DiagnosisStep& step, Done<Diagnosis> done) = 0;
  virtual void Merge(const MergeStep& step, Done<Merged> done) = 0;
  // Changes of one plan, in this order, as far as they get.
  virtual void Review(std::vector<ReviewStep> steps, Done<ReviewOutcomes> done) = 0;
  // What was asked for since the last Flush may go out together; it goes out now.
  virtual void Flush() {}
};

}  // namespace slipway::dispatcher
