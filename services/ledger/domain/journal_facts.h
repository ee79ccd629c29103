#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/price_book.h"

// What the journal tells besides balances, so that budgets, prices and frozen scopes can be
// replayed, too: members of the body of an entry.
namespace slipway::ledger {

// {"budget": [scope, metric, window, time zone, limit or null, version, frozen, thresholds]}
nlohmann::json BudgetFacts(const Budget& budget);

// {"prices": [[id, provider, model, tier, from, threshold, the six rates, source], ..]}
nlohmann::json PriceFacts(const std::vector<Price>& rows);

// {"delta": [nano-USD, tokens, requests]}: by how much a correction changed what a call has cost.
nlohmann::json DeltaFacts(const Amounts& delta);

// {"frozen": bool}
nlohmann::json FreezeFacts(bool frozen);

}  // namespace slipway::ledger
