#include "services/planner/domain/estimate.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

namespace slipway::planner {
namespace {

constexpr int kRetriesDefault = 3;
// UTF-8 text of people and programs has about this many bytes in a token.
constexpr int64_t kBytesPerToken = 4;

struct Figures {
  TokenEstimate tokens;
  absl::Duration duration;
};

Figures FiguresOf(Complexity complexity) {
  switch (complexity) {
    case Complexity::kLow:
      return {{8'000, 2'000}, absl::Minutes(2)};
    case Complexity::kMedium:
      return {{24'000, 6'000}, absl::Minutes(5)};
    case Complexity::kHigh:
      return {{64'000, 16'000}, absl::Minutes(12)};
  }
  return {};
}

int64_t SaturatingMultiply(int64_t amount, int64_t factor) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  return amount > most / factor ? most : amount * factor;
}

int64_t LimitOf(const Task& task, const ProjectPolicy& policy) {
  if (task.limit_usd_nanos > 0) return task.limit_usd_nanos;
  if (policy.attempts.task_limit_usd_nanos > 0) return policy.attempts.task_limit_usd_nanos;
  return std::numeric_limits<int64_t>::max();
}

}  // namespace

TokenEstimate EstimateTokens(const Task& task) {
  TokenEstimate tokens = FiguresOf(task.complexity).tokens;
  // Rounded up to thousands, so that tasks of one kind share a price.
  const int64_t described = static_cast<int64_t>(task.description.size()) / kBytesPerToken;
  tokens.input += (described + 999) / 1'000 * 1'000;
  return tokens;
}

absl::Duration EstimateDuration(const Task& task) { return FiguresOf(task.complexity).duration; }

std::vector<std::string> EstimateTasks(const ProjectPolicy& policy, const PriceCall& price,
                                       std::vector<Task>& tasks) {
  const int64_t attempts = policy.attempts.retries_max.value_or(kRetriesDefault) + 1;
  std::map<std::tuple<std::string, int64_t, int64_t>, int64_t> prices;
  std::set<std::string> unknown;
  for (Task& task : tasks) {
    task.estimate_duration = EstimateDuration(task);
    const TokenEstimate tokens = EstimateTokens(task);
    const auto key = std::make_tuple(task.role, tokens.input, tokens.output);
    auto known = prices.find(key);
    if (known == prices.end()) {
      const absl::StatusOr<int64_t> cost =
          unknown.contains(task.role) ? absl::StatusOr<int64_t>(0) : price(task.role, tokens);
      if (!cost.ok()) unknown.insert(task.role);
      known = prices.emplace(key, std::max<int64_t>(0, cost.value_or(0))).first;
    }
    task.estimate_usd_nanos =
        std::min(SaturatingMultiply(known->second, attempts), LimitOf(task, policy));
  }
  return {unknown.begin(), unknown.end()};
}

}  // namespace slipway::planner
