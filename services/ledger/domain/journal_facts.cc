#include "services/ledger/domain/journal_facts.h"

#include <utility>

namespace slipway::ledger {

using nlohmann::json;

json BudgetFacts(const Budget& budget) {
  json facts = {budget.scope, NameOf(budget.metric), NameOf(budget.window), budget.time_zone,
                nullptr,      budget.version,        budget.frozen,         budget.warn_percents};
  if (budget.limit.has_value()) facts[4] = *budget.limit;
  return json{{"budget", std::move(facts)}};
}

json PriceFacts(const std::vector<Price>& rows) {
  json prices = json::array();
  for (const Price& row : rows) {
    prices.push_back({row.id, row.provider, row.model, row.service_tier,
                      absl::ToUnixMicros(row.effective_time), row.context_threshold_tokens,
                      row.input_pico_usd, row.cache_read_pico_usd, row.cache_write_pico_usd,
                      row.cache_write_long_pico_usd, row.output_pico_usd, row.search_usd_nanos,
                      row.source});
  }
  return json{{"prices", std::move(prices)}};
}

json DeltaFacts(const Amounts& delta) {
  return json{{"delta", {delta.usd_nanos, delta.tokens, delta.requests}}};
}

json FreezeFacts(bool frozen) { return json{{"frozen", frozen}}; }

}  // namespace slipway::ledger
