#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "services/dispatcher/simulator/small_world.h"

namespace slipway::dispatcher::simulator {

// Models with their keys, a reviewer with one branch, and a fleet that starts nobody.
class SmallWorld::Services final : public Models, public Reviewer, public AgentFleet {
 public:
  explicit Services(SmallWorld& world) : world_(world) {}

  void Start(Order) override {}
  void Retire(const std::string&) override {}
  void Adopt(const std::vector<StartIntent>&) override {}

  void IssueKey(const KeyRequest& request,
                absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&> done) override {
    const AttemptKey key = request.attempt;
    Call<absl::StatusOr<IssuedKey>>(absl::StrCat("make key ", key.epoch, " of ", key.task.id.str()),
                                    std::move(done),
                                    [this, key](Fate) -> absl::StatusOr<IssuedKey> {
                                      if (marked_.count(key) > 0) {
                                        return absl::FailedPreconditionError("its keys were ended");
                                      }
                                      open_.insert(key);
                                      return IssuedKey{.key = "key"};
                                    });
  }

  void RevokeKeys(const AttemptKey& key, absl::AnyInvocable<void(absl::Status) &&> done) override {
    if (world_.options_.mutant == Mutant::kKeysNeverRevoked)
      return std::move(done)(absl::OkStatus());
    Call<absl::Status>(absl::StrCat("end key ", key.epoch, " of ", key.task.id.str()),
                       std::move(done), [this, key](Fate) {
                         open_.erase(key);
                         marked_.insert(key);
                         return absl::OkStatus();
                       });
  }

  void Inspect(const InspectStep& step, Done<Inspection> done) override {
    Call<absl::StatusOr<Inspection>>(absl::StrCat("inspect ", step.attempt.Name()), std::move(done),
                                     [](Fate) { return Inspection{.accepted = true}; });
  }

  void CreateCandidate(const CandidateStep& step, Done<CandidateOutcome> done) override {
    const std::string change = step.plan.empty() ? step.attempt.Name() : step.plan;
    Call<absl::StatusOr<CandidateOutcome>>(
        absl::StrCat("candidate of ", change), std::move(done),
        [this, change, step](Fate) -> absl::StatusOr<CandidateOutcome> {
          if (const auto landed = landed_.find(change); landed != landed_.end()) {
            return CandidateOutcome(Merged{.commit = landed->second});
          }
          const std::string name = absl::StrCat(change, " on ", tip_);
          built_[name] = {.attempt = step.attempt, .plan = step.plan, .base = tip_};
          return CandidateOutcome(Candidate{.name = name, .commit = name, .tree = name});
        });
  }

  void RecordEvidence(const EvidenceStep&, Done<EvidenceOutcome> done) override {
    std::move(done)(absl::FailedPreconditionError("there are no validators"));
  }

  void Judge(const JudgeStep& step, Done<Judgement> done) override {
    Call<absl::StatusOr<Judgement>>(
        absl::StrCat("judge ", step.candidate), std::move(done),
        [](Fate fate) {
          return fate == Fate::kGaps ? Judgement{.verdict = Verdict::kGapsFound, .gaps = {"a test"}}
                                     : Judgement{.verdict = Verdict::kPassed};
        },
        /*judges=*/true);
  }

  // It changes no task, so it is left out of what is explored.
  void Diagnose(const DiagnosisStep&, Done<Diagnosis> done) override {
    std::move(done)(Diagnosis());
  }

  void Merge(const MergeStep& step, Done<Merged> done) override {
    Call<absl::StatusOr<Merged>>(absl::StrCat("merge ", step.candidate), std::move(done),
                                 [this, name = step.candidate](Fate) { return Land(name); });
  }

  // Stops before the verdict or behind the merge.
  void Review(std::vector<ReviewStep> steps, Done<ReviewOutcomes> done) override {
    std::string label = "review";
    for (const ReviewStep& step : steps) {
      absl::StrAppend(&label, " ", step.inspection.attempt.Name());
    }
    Call<absl::StatusOr<ReviewOutcomes>>(
        std::move(label), std::move(done),
        [this, steps](Fate fate) -> absl::StatusOr<ReviewOutcomes> {
          ReviewOutcomes outcomes;
          for (const ReviewStep& step : steps) {
            const std::string change = step.inspection.attempt.Name();
            ReviewOutcome outcome{.inspection = {.accepted = true}};
            if (const auto landed = landed_.find(change); landed != landed_.end()) {
              outcome.candidate = Merged{.commit = landed->second};
              outcomes.push_back(std::move(outcome));
              continue;
            }
            const std::string name = absl::StrCat(change, " on ", tip_);
            built_[name] = {.attempt = step.inspection.attempt, .base = tip_};
            outcome.candidate = Candidate{.name = name, .commit = name, .tree = name};
            if (fate != Fate::kGaps) {
              outcome.judgement = Judgement{.verdict = Verdict::kPassed};
              const absl::StatusOr<Merged> merged = Land(name);
              if (merged.ok()) outcome.merged = *merged;
            }
            outcomes.push_back(std::move(outcome));
          }
          return outcomes;
        },
        /*judges=*/true);
  }

  const std::set<AttemptKey>& open_keys() const { return open_; }
  // Changes on the branch, by task.
  const std::map<TaskKey, std::vector<AttemptKey>>& landings() const { return landings_; }
  std::string Describe() const {
    std::string text = absl::StrCat("tip ", tip_);
    for (const AttemptKey& key : open_) absl::StrAppend(&text, " open ", key.Name());
    for (const AttemptKey& key : marked_) absl::StrAppend(&text, " ended ", key.Name());
    for (const auto& [change, commit] : landed_) absl::StrAppend(&text, " ", change, "=", commit);
    return text;
  }

 private:
  struct Built {
    AttemptKey attempt;
    std::string plan;
    int base = 0;
  };

  template <typename Result, typename Done>
  void Call(std::string label, Done done, std::function<Result(Fate)> apply, bool judges = false) {
    auto shared = std::make_shared<Done>(std::move(done));
    world_.in_flight_.push_back({.label = std::move(label),
                                 .is_open = true,
                                 .judges = judges,
                                 .arrive =
                                     [shared, apply](Fate fate) {
                                       if (fate == Fate::kLost)
                                         return std::move(*shared)(absl::UnavailableError("away"));
                                       Result result = apply(fate);
                                       if (fate == Fate::kToldFailed)
                                         result = absl::UnavailableError("away");
                                       std::move (*shared)(std::move(result));
                                     },
                                 .orphan = [apply] { static_cast<void>(apply(Fate::kArrives)); }});
  }

  absl::StatusOr<Merged> Land(const std::string& name) {
    const Built& built = built_.at(name);
    const std::string change = built.plan.empty() ? built.attempt.Name() : built.plan;
    const bool again = world_.options_.mutant == Mutant::kMergedTwice;
    const auto landed = landed_.find(change);
    if (landed != landed_.end() && !again) return Merged{.commit = landed->second};
    if (built.base != tip_ && !again) {
      return base::Error(absl::StatusCode::kAborted, "BRANCH_MOVED", "the branch moved");
    }
    if (built.plan.empty()) landings_[built.attempt.task].push_back(built.attempt);
    landed_[change] = absl::StrCat("commit-", ++tip_);
    return Merged{.commit = landed_[change]};
  }

  SmallWorld& world_;
  std::set<AttemptKey> open_;
  std::set<AttemptKey> marked_;  // Their keys were ended: they get none any more.
  std::map<std::string, Built> built_;
  std::map<std::string, std::string> landed_;  // Commits by change.
  std::map<TaskKey, std::vector<AttemptKey>> landings_;
  int tip_ = 0;
};

}  // namespace slipway::dispatcher::simulator
