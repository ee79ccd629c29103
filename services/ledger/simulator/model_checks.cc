#include "services/ledger/simulator/model_checks.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace slipway::ledger::simulator {
namespace {

__extension__ using Wide = __int128;

bool IsIdText(const std::string& text) {
  return !text.empty() && text.size() <= 63 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos;
}

// The names above a project, plan, task or attempt, and itself; none when it is not one.
std::vector<std::string> Chain(const std::string& name) {
  static const std::array<std::string, 4> kKinds = {"projects", "plans", "tasks", "attempts"};
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  std::vector<std::string> chain;
  std::string so_far;
  for (size_t i = 0; i + 1 < parts.size() && i < 8; i += 2) {
    if (parts[i] != kKinds[i / 2] || !IsIdText(parts[i + 1])) return {};
    so_far = absl::StrCat(so_far, so_far.empty() ? "" : "/", parts[i], "/", parts[i + 1]);
    chain.push_back(so_far);
  }
  return so_far == name ? chain : std::vector<std::string>();
}

std::array<int64_t, 6> Rates(const Price& row) {
  return {row.input_pico_usd,       row.cache_read_pico_usd,
          row.cache_write_pico_usd, row.cache_write_long_pico_usd,
          row.output_pico_usd,      row.search_usd_nanos};
}

bool SameRow(const Price& a, const Price& b) {
  return a.provider == b.provider && a.model == b.model && a.service_tier == b.service_tier &&
         a.effective_time == b.effective_time &&
         a.context_threshold_tokens == b.context_threshold_tokens;
}

bool IsSuspicious(const Price& before, const Price& after) {
  const auto old_rates = Rates(before);
  const auto new_rates = Rates(after);
  for (size_t i = 0; i < old_rates.size(); ++i) {
    if (old_rates[i] > 0 && new_rates[i] / 10 > old_rates[i]) return true;
    if (old_rates[i] > 0 && new_rates[i] > 10 * old_rates[i]) return true;
    if (new_rates[i] * 10 < old_rates[i]) return true;
  }
  return false;
}

}  // namespace

std::string ModelTier(const std::string& tier) {
  return tier.empty() || tier == "standard" || tier == "auto" ? "default" : tier;
}

ScopePath Filled(const ScopePath& path) {
  ScopePath filled = {.role = path.role};
  for (const std::string* name : {&path.attempt, &path.task, &path.plan, &path.project}) {
    if (name->empty()) continue;
    const std::vector<std::string> chain = Chain(*name);
    std::string* const fields[] = {&filled.project, &filled.plan, &filled.task, &filled.attempt};
    for (size_t i = 0; i < chain.size(); ++i) *fields[i] = chain[i];
    break;
  }
  return filled;
}

std::set<std::string> ScopesOf(const ScopePath& path) {
  const ScopePath filled = Filled(path);
  if (filled.project.empty()) return {};
  const std::pair<const std::string*, const std::string*> pairs[] = {
      {&path.project, &filled.project},
      {&path.plan, &filled.plan},
      {&path.task, &filled.task},
      {&path.attempt, &filled.attempt}};
  std::set<std::string> scopes = {"organisation"};
  for (const auto& [given, implied] : pairs) {
    if (!given->empty() && *given != *implied) return {};
    if (!implied->empty()) scopes.insert(*implied);
  }
  if (path.role.empty()) return scopes;
  if (!IsIdText(path.role)) return {};
  scopes.insert(absl::StrCat(filled.project, "/roles/", path.role));
  return scopes;
}

std::set<std::string> ScopesOfBudget(const std::string& scope) {
  if (scope == "organisation") return {scope};
  const std::vector<std::string> parts = absl::StrSplit(scope, '/');
  if (parts.size() == 4 && parts[2] == "roles") {
    if (parts[3].empty()) return {};
    return ScopesOf({.project = absl::StrCat(parts[0], "/", parts[1]), .role = parts[3]});
  }
  const std::vector<std::string> chain = Chain(scope);
  if (chain.empty()) return {};
  std::set<std::string> scopes(chain.begin(), chain.end());
  scopes.insert("organisation");
  return scopes;
}

std::string ProblemOfKey(const std::string& key) {
  const bool printable =
      std::none_of(key.begin(), key.end(), [](char c) { return c < 32 || c > 126; });
  return key.empty() || key.size() > 200 || !printable ? "KEY_INVALID" : "";
}

std::string ProblemOf(const ReserveOrder& order) {
  if (!ProblemOfKey(order.key).empty()) return "KEY_INVALID";
  if (ScopesOf(order.scopes).empty()) return "SCOPE_INVALID";
  for (const Metric metric : kMetrics) {
    const int64_t amount = order.amounts.Of(metric);
    const int64_t least = order.minimum.Of(metric);
    if (amount < 0 || amount > kModelAmountMax || least < 0 || least > amount) {
      return "AMOUNT_INVALID";
    }
  }
  if (order.lifetime <= absl::ZeroDuration() || order.lifetime > absl::Hours(24)) {
    return "LIFETIME_INVALID";
  }
  if (order.kind == ReservationKind::kEnvelope && !order.envelope.empty()) {
    return "ENVELOPE_UNKNOWN";
  }
  if (order.owner_epoch < 0) return "FIELD_INVALID";
  if (order.owner_epoch > 0 && order.owner.empty()) return "FIELD_INVALID";
  return "";
}

std::string ProblemOf(const BudgetOrder& order) {
  if (order.limit < 0) return "AMOUNT_INVALID";
  if (!order.request_id.empty() && !ProblemOfKey(order.request_id).empty()) return "KEY_INVALID";
  if (order.warn_percents.size() > 10) return "FIELD_INVALID";
  for (const int32_t percent : order.warn_percents) {
    if (percent < 1 || percent > 100) return "AMOUNT_INVALID";
  }
  if (ScopesOfBudget(order.scope).empty()) return "SCOPE_INVALID";
  if (order.time_zone == "Mars/Base") return "TIME_ZONE_UNKNOWN";
  return "";
}

std::string ProblemOf(const TokenCounts& tokens) {
  for (const int64_t count :
       {tokens.input, tokens.cache_read, tokens.cache_write, tokens.cache_write_long, tokens.output,
        tokens.reasoning, tokens.searches}) {
    if (count < 0 || count > kModelTokensMax) return "AMOUNT_INVALID";
  }
  return "";
}

std::string ProblemOf(const TopUpOrder& order) {
  if (!ProblemOfKey(order.key).empty()) return "KEY_INVALID";
  bool nothing = true;
  for (const Metric metric : kMetrics) {
    const int64_t amount = order.amounts.Of(metric);
    if (amount < 0 || amount > kModelAmountMax) return "AMOUNT_INVALID";
    if (amount != 0) nothing = false;
  }
  return nothing ? "FIELD_INVALID" : "";
}

std::string RequestText(const SettleOrder& order) {
  std::string text = absl::StrCat(order.outcome_unknown, "|", order.provider, "|", order.model, "|",
                                  order.service_tier, "|", order.provider_request_id);
  if (order.tokens.has_value()) {
    const TokenCounts& tokens = *order.tokens;
    absl::StrAppend(&text, "|tokens ", tokens.input, ",", tokens.cache_read, ",",
                    tokens.cache_write, ",", tokens.cache_write_long);
    absl::StrAppend(&text, ",", tokens.output, ",", tokens.reasoning, ",", tokens.searches);
  }
  if (order.cost_usd_nanos.has_value()) absl::StrAppend(&text, "|cost ", *order.cost_usd_nanos);
  return text;
}

std::string RequestText(const BudgetOrder& order) {
  std::vector<int32_t> percents = order.warn_percents;
  std::sort(percents.begin(), percents.end());
  return absl::StrCat(order.scope, "|", static_cast<int>(order.metric), "|",
                      static_cast<int>(order.window), "|", order.time_zone, "|", order.limit, "|",
                      order.frozen, "|",
                      absl::StrCat(absl::StrJoin(percents, ","), "|", order.expected_version));
}

std::string RequestText(const TopUpOrder& order) {
  return absl::StrCat(order.reservation, "|", order.amounts.usd_nanos, "|", order.amounts.tokens,
                      "|", order.amounts.requests);
}

ModelCost CostAt(const std::vector<Price>& prices, const std::string& provider,
                 const std::string& model, const std::string& tier, absl::Time time,
                 const TokenCounts& tokens) {
  // The newest list of each tier: the rows of its last effective time that has come.
  std::map<std::string, absl::Time> newest;
  for (const Price& row : prices) {
    if (row.provider != provider || row.model != model || row.effective_time > time) continue;
    const auto [found, added] = newest.emplace(row.service_tier, row.effective_time);
    if (!added) found->second = std::max(found->second, row.effective_time);
  }
  const std::string wanted = ModelTier(tier);
  if (newest.contains(wanted)) newest = {{wanted, newest[wanted]}};
  ModelCost best;
  Wide best_nanos = -1;
  for (const auto& [name, from] : newest) {
    const Price* row = nullptr;
    for (const Price& price : prices) {
      const bool applies = price.provider == provider && price.model == model &&
                           price.service_tier == name && price.effective_time == from &&
                           price.context_threshold_tokens <= tokens.AllInput();
      if (!applies) continue;
      if (row == nullptr || price.context_threshold_tokens > row->context_threshold_tokens) {
        row = &price;
      }
    }
    if (row == nullptr) continue;
    const Wide pico = Wide{tokens.input} * row->input_pico_usd +
                      Wide{tokens.cache_read} * row->cache_read_pico_usd +
                      Wide{tokens.cache_write} * row->cache_write_pico_usd +
                      Wide{tokens.cache_write_long} * row->cache_write_long_pico_usd +
                      Wide{tokens.output} * row->output_pico_usd +
                      Wide{tokens.searches} * row->search_usd_nanos * 1'000;
    const Wide nanos = pico / 1'000 + (pico % 1'000 > 0 ? 1 : 0);
    if (nanos <= best_nanos) continue;
    best_nanos = nanos;
    best = {.known = true, .overflows = nanos > kModelAmountMax, .price = row->id};
    if (!best.overflows) best.cost = static_cast<int64_t>(nanos);
  }
  return best;
}

bool HasPrice(const std::vector<Price>& prices, const std::string& provider,
              const std::string& model, absl::Time time) {
  return std::any_of(prices.begin(), prices.end(), [&](const Price& row) {
    return row.provider == provider && row.model == model && row.effective_time <= time;
  });
}

ModelImport ImportInto(const std::vector<Price>& prices, std::vector<Price> rows,
                       const std::vector<std::string>& accept) {
  ModelImport import;
  for (Price& row : rows) {
    row.service_tier = ModelTier(row.service_tier);
    const std::array<int64_t, 6> rates = Rates(row);
    const bool in_range = std::all_of(rates.begin(), rates.end(), [](int64_t rate) {
      return rate >= 0 && rate <= 1'000'000'000'000;
    });
    if (row.provider.empty() || row.model.empty() || !in_range ||
        row.context_threshold_tokens < 0 || row.effective_time < absl::UnixEpoch()) {
      return {.reason = "PRICE_INVALID"};
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Price& a, const Price& b) {
    return a.effective_time < b.effective_time;
  });
  std::vector<Price> all = prices;
  for (Price& row : rows) {
    const auto known = std::find_if(all.begin(), all.end(),
                                    [&](const Price& other) { return SameRow(other, row); });
    if (known != all.end()) {
      if (Rates(*known) != Rates(row)) return {.reason = "PRICE_INVALID"};
      ++import.unchanged;
      continue;
    }
    // The list before, and of it the row for the same size of request.
    std::optional<absl::Time> before;
    for (const Price& other : all) {
      if (other.provider == row.provider && other.model == row.model &&
          other.service_tier == row.service_tier && other.effective_time < row.effective_time) {
        before = std::max(before.value_or(other.effective_time), other.effective_time);
      }
    }
    const Price* nearest = nullptr;
    for (const Price& other : all) {
      if (!before.has_value() || other.provider != row.provider || other.model != row.model ||
          other.service_tier != row.service_tier || other.effective_time != *before ||
          other.context_threshold_tokens > row.context_threshold_tokens) {
        continue;
      }
      if (nearest == nullptr ||
          other.context_threshold_tokens > nearest->context_threshold_tokens) {
        nearest = &other;
      }
    }
    const std::string name = absl::StrCat(row.provider, "/", row.model);
    const bool accepted = std::find(accept.begin(), accept.end(), name) != accept.end();
    if (nearest != nullptr && !accepted && IsSuspicious(*nearest, row)) {
      return {.reason = "PRICE_SUSPICIOUS"};
    }
    row.id = static_cast<int64_t>(all.size()) + 1;
    all.push_back(row);
    import.added.push_back(row);
  }
  return import;
}

}  // namespace slipway::ledger::simulator
