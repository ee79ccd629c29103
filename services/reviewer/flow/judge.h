#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/domain/critic_prompt.h"
#include "services/reviewer/domain/model_client.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

struct JudgeRequest {
  std::string candidate;
  std::string title;
  std::string description;
  std::vector<std::string> acceptance;
  bool critical = false;
  int round = 1;
};

// The roles of the models that judge a task's candidates; empty when none does.
std::vector<std::string> CriticsOf(const ReviewPolicy& policy, bool critical);

// Lets the critic, or for critical tasks the council, judge candidates. Blocks for as long as
// models take; thread-safe.
class Judge final {
 public:
  Judge(const Workshop& workshop, ModelClient& models) : workshop_(workshop), models_(models) {}

  // The verdict of a round, which stays. Passes at once when no critic is configured. The council
  // passes a candidate when all of its roles do; the first that does not decides. Fails with
  // CandidateUnknown, RoundInvalid, VerdictUnreadable, and as models do.
  absl::StatusOr<Verdict> Decide(const JudgeRequest& request);

 private:
  struct Bench;  // What one verdict is asked for with.

  absl::StatusOr<CriticCase> CaseOf(const JudgeRequest& request, const Candidate& candidate);
  absl::StatusOr<Verdict> Ask(const Bench& bench, const std::string& role);

  const Workshop& workshop_;
  ModelClient& models_;
};

}  // namespace slipway::reviewer
