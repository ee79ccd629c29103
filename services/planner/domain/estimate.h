#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/planner/domain/plan.h"
#include "services/planner/domain/project.h"

namespace slipway::planner {

// Tokens of one attempt.
struct TokenEstimate {
  int64_t input = 0;
  int64_t output = 0;

  friend bool operator==(const TokenEstimate&, const TokenEstimate&) = default;
};

// Figures for a repository of common size; history refines them where there is one.
TokenEstimate EstimateTokens(const Task& task);
absl::Duration EstimateDuration(const Task& task);

// Price of a call at its worst, in billionths of a US dollar.
using PriceCall =
    std::function<absl::StatusOr<int64_t>(const std::string& role, const TokenEstimate& tokens)>;

// Sets the estimates of every task: the time of one attempt, and the money of as many attempts as
// `policy` allows, at most the task's limit. Asks `price` once for each kind of call. Returns the
// roles without a known price, sorted; their tasks cost 0 in the estimate.
std::vector<std::string> EstimateTasks(const ProjectPolicy& policy, const PriceCall& price,
                                       std::vector<Task>& tasks);

}  // namespace slipway::planner
