#pragma once

#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "services/ledger/domain/ledger.h"

// What the model knows of valid input. Reasons are those of errors; empty when it is valid.
namespace slipway::ledger::simulator {

inline constexpr int64_t kModelAmountMax = 1'000'000'000'000'000;
inline constexpr int64_t kModelTokensMax = 1'000'000'000'000;

// The scopes that cover a call, as names of budgets; none when the path is not valid.
std::set<std::string> ScopesOf(const ScopePath& path);

// The same for the scope of a budget: those that it is below, and itself.
std::set<std::string> ScopesOfBudget(const std::string& scope);

// Fills what a path implies.
ScopePath Filled(const ScopePath& path);

std::string ProblemOfKey(const std::string& key);
std::string ProblemOf(const ReserveOrder& order);
std::string ProblemOf(const BudgetOrder& order);
std::string ProblemOf(const TokenCounts& tokens);
std::string ProblemOf(const TopUpOrder& order);

// A settlement and a budget as text that is equal when the request is.
std::string RequestText(const SettleOrder& order);
std::string RequestText(const BudgetOrder& order);
std::string RequestText(const TopUpOrder& order);

// Rates in the order of RatesOf in the price book's file format: nothing of it is shared.
struct ModelCost {
  bool known = false;
  bool overflows = false;
  int64_t cost = 0;
  int64_t price = 0;
};

// What tokens cost at `time`: of the newest list of the tier, or else the dearest of all tiers.
ModelCost CostAt(const std::vector<Price>& prices, const std::string& provider,
                 const std::string& model, const std::string& tier, absl::Time time,
                 const TokenCounts& tokens);
bool HasPrice(const std::vector<Price>& prices, const std::string& provider,
              const std::string& model, absl::Time time);

// What becomes of an import: a reason, or the rows that are new with their ids.
struct ModelImport {
  std::string reason;
  std::vector<Price> added;
  int unchanged = 0;
};
ModelImport ImportInto(const std::vector<Price>& prices, std::vector<Price> rows,
                       const std::vector<std::string>& accept);

std::string ModelTier(const std::string& tier);

}  // namespace slipway::ledger::simulator
