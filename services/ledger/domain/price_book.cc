#include "services/ledger/domain/price_book.h"

#include <algorithm>
#include <array>
#include <limits>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {
namespace {

__extension__ using Wide = __int128;

constexpr int kPicoPerNano = 1'000;
constexpr int64_t kPriceSecondsMax = 253'402'300'799;  // The last second of the year 9999.
constexpr int kFactorMax = 10;  // A change beyond it is more likely a wrong unit than a price.

std::array<int64_t, 6> RatesOf(const Price& price) {
  return {price.input_pico_usd,       price.cache_read_pico_usd,
          price.cache_write_pico_usd, price.cache_write_long_pico_usd,
          price.output_pico_usd,      price.search_usd_nanos};
}

absl::Status CheckTokens(const TokenCounts& tokens) {
  for (const int64_t count :
       {tokens.input, tokens.cache_read, tokens.cache_write, tokens.cache_write_long, tokens.output,
        tokens.reasoning, tokens.searches}) {
    if (count < 0 || count > kTokensMax) return AmountInvalid("tokens", count, kTokensMax);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPrice(const Price& row) {
  if (row.provider.empty() || row.model.empty()) {
    return PriceInvalid(row, "provider and model are required");
  }
  if (std::max({row.provider.size(), row.model.size(), row.service_tier.size(),
                row.source.size()}) > kTextBytesMax) {
    return PriceInvalid(row, absl::StrCat("a text is longer than ", kTextBytesMax, " bytes"));
  }
  if (row.context_threshold_tokens < 0 || row.context_threshold_tokens > kTokensMax) {
    return PriceInvalid(row, "context_threshold_tokens is out of range");
  }
  for (const int64_t rate : RatesOf(row)) {
    if (rate < 0 || rate > kRateMax) return PriceInvalid(row, "a rate is negative or too large");
  }
  if (row.effective_time < absl::UnixEpoch() ||
      row.effective_time > absl::FromUnixSeconds(kPriceSecondsMax)) {
    return PriceInvalid(row, "effective_time is required, and is between 1970 and 9999");
  }
  return absl::OkStatus();
}

std::string NormalisedTier(absl::string_view tier) {
  return tier.empty() || tier == "standard" || tier == "auto" ? "default" : std::string(tier);
}

absl::StatusOr<int64_t> CostOf(const Price& price, const TokenCounts& tokens) {
  RETURN_IF_ERROR(CheckTokens(tokens));
  // Each product is at most 10^24 and the sum far below 2^127.
  const Wide pico = Wide{tokens.input} * price.input_pico_usd +
                    Wide{tokens.cache_read} * price.cache_read_pico_usd +
                    Wide{tokens.cache_write} * price.cache_write_pico_usd +
                    Wide{tokens.cache_write_long} * price.cache_write_long_pico_usd +
                    Wide{tokens.output} * price.output_pico_usd +
                    Wide{tokens.searches} * price.search_usd_nanos * kPicoPerNano;
  const Wide nanos = (pico + kPicoPerNano - 1) / kPicoPerNano;
  if (nanos > kAmountMax) {
    return CostTooLarge(kAmountMax);
  }
  return static_cast<int64_t>(nanos);
}

void PriceBook::Load(const std::vector<Price>& rows) {
  for (const Price& row : rows) Insert(row);
}

void PriceBook::Insert(const Price& row) {
  last_id_ = std::max(last_id_, row.id);
  models_[{row.provider, row.model}][row.service_tier][row.effective_time]
         [row.context_threshold_tokens] = row;
}

bool PriceBook::Knows(const Price& row) const {
  const Model* model = FindModel(row.provider, row.model);
  if (model == nullptr) return false;
  const auto history = model->find(NormalisedTier(row.service_tier));
  if (history == model->end()) return false;
  const auto list = history->second.find(row.effective_time);
  return list != history->second.end() && list->second.contains(row.context_threshold_tokens);
}

absl::StatusOr<PriceBook::Import> PriceBook::Add(std::vector<Price> rows,
                                                 const std::vector<std::string>& accept) {
  if (rows.size() > kPriceRowsMax) {
    return PriceInvalid({}, absl::StrCat("more than ", kPriceRowsMax, " rows in one import"));
  }
  for (Price& row : rows) {
    row.service_tier = NormalisedTier(row.service_tier);
    RETURN_IF_ERROR(CheckPrice(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Price& a, const Price& b) {
    return a.effective_time < b.effective_time;
  });
  PriceBook next = *this;  // Rows of one import follow each other; all are added or none.
  Import import;
  for (Price& row : rows) {
    if (next.Knows(row)) {
      const Price& known = next.models_.at({row.provider, row.model})
                               .at(row.service_tier)
                               .at(row.effective_time)
                               .at(row.context_threshold_tokens);
      if (RatesOf(known) != RatesOf(row)) {
        return PriceInvalid(row, "it is known with other rates; give the new a later time");
      }
      ++import.unchanged;
      continue;
    }
    RETURN_IF_ERROR(next.CheckChange(row, accept));
    row.id = next.last_id_ + 1;
    next.Insert(row);
    import.added.push_back(row);
  }
  *this = std::move(next);
  return import;
}

absl::Status PriceBook::CheckChange(const Price& row,
                                    const std::vector<std::string>& accept) const {
  const std::string name = absl::StrCat(row.provider, "/", row.model);
  if (std::find(accept.begin(), accept.end(), name) != accept.end()) return absl::OkStatus();
  const Model* model = FindModel(row.provider, row.model);
  const auto history = model == nullptr ? Model::const_iterator() : model->find(row.service_tier);
  if (model == nullptr || history == model->end()) return absl::OkStatus();
  // The list before this one; a list that is being added compares with the one before it.
  auto list = history->second.lower_bound(row.effective_time);
  if (list == history->second.begin()) return absl::OkStatus();
  --list;
  auto before = list->second.upper_bound(row.context_threshold_tokens);
  if (before == list->second.begin()) return absl::OkStatus();
  --before;
  const std::array<int64_t, 6> old_rates = RatesOf(before->second);
  const std::array<int64_t, 6> new_rates = RatesOf(row);
  for (size_t i = 0; i < old_rates.size(); ++i) {
    if (old_rates[i] == 0 && new_rates[i] == 0) continue;
    if (Wide{new_rates[i]} > Wide{old_rates[i]} * kFactorMax && old_rates[i] != 0) {
      return PriceSuspicious(row, old_rates[i], new_rates[i]);
    }
    if (Wide{new_rates[i]} * kFactorMax < Wide{old_rates[i]}) {
      return PriceSuspicious(row, old_rates[i], new_rates[i]);
    }
  }
  return absl::OkStatus();
}

const PriceBook::Model* PriceBook::FindModel(absl::string_view provider,
                                             absl::string_view model) const {
  const auto found = models_.find({std::string(provider), std::string(model)});
  return found == models_.end() ? nullptr : &found->second;
}

const PriceBook::List* PriceBook::CurrentOf(const History& history, absl::Time time) {
  const auto next = history.upper_bound(time);
  return next == history.begin() ? nullptr : &std::prev(next)->second;
}

std::vector<const PriceBook::List*> PriceBook::ListsFor(const Model& model, absl::string_view tier,
                                                        absl::Time time) const {
  const auto own = model.find(NormalisedTier(tier));
  if (own != model.end() && CurrentOf(own->second, time) != nullptr) {
    return {CurrentOf(own->second, time)};
  }
  std::vector<const List*> all;
  for (const auto& [name, history] : model) {
    if (const List* list = CurrentOf(history, time)) all.push_back(list);
  }
  return all;
}

const Price* PriceBook::Find(absl::string_view provider, absl::string_view model,
                             absl::string_view tier, absl::Time time,
                             const TokenCounts& tokens) const {
  const Model* known = FindModel(provider, model);
  if (known == nullptr) return nullptr;
  const Price* dearest = nullptr;
  int64_t dearest_cost = -1;
  for (const List* list : ListsFor(*known, tier, time)) {
    const auto next = list->upper_bound(tokens.AllInput());
    if (next == list->begin()) continue;
    const Price& row = std::prev(next)->second;
    const int64_t cost = CostOf(row, tokens).value_or(kAmountMax);
    if (cost > dearest_cost) {
      dearest = &row;
      dearest_cost = cost;
    }
  }
  return dearest;
}

absl::StatusOr<Quote> PriceBook::WorstCase(const QuoteOrder& order, absl::Time time) const {
  const TokenCounts most = {
      .input = order.input_tokens, .output = order.output_tokens, .searches = order.searches};
  RETURN_IF_ERROR(CheckTokens(most));
  const Model* known = FindModel(order.provider, order.model);
  if (known == nullptr) return PriceUnknown(order.provider, order.model, order.service_tier);
  std::vector<const List*> lists = ListsFor(*known, order.service_tier, time);
  const auto fallback = known->find("default");
  if (fallback != known->end()) lists.push_back(CurrentOf(fallback->second, time));
  Quote worst = {.cost_usd_nanos = -1};
  for (const List* list : lists) {
    if (list == nullptr) continue;
    for (const auto& [threshold, row] : *list) {
      if (threshold > order.input_tokens) {
        const int64_t below = worst.input_tokens_below;
        worst.input_tokens_below = below == 0 ? threshold : std::min(below, threshold);
        break;
      }
      worst.input_tokens_from = std::max(worst.input_tokens_from, threshold);
      // All input may turn out to be of the class that costs most.
      Price dear = row;
      dear.input_pico_usd = std::max({row.input_pico_usd, row.cache_read_pico_usd,
                                      row.cache_write_pico_usd, row.cache_write_long_pico_usd});
      ASSIGN_OR_RETURN(const int64_t cost, CostOf(dear, most));
      ASSIGN_OR_RETURN(const int64_t input_cost,
                       CostOf(dear, {.input = most.input, .searches = most.searches}));
      worst.input_pico_usd = std::max(worst.input_pico_usd, dear.input_pico_usd);
      worst.output_pico_usd = std::max(worst.output_pico_usd, row.output_pico_usd);
      worst.input_usd_nanos = std::max(worst.input_usd_nanos, input_cost);
      if (cost <= worst.cost_usd_nanos) continue;
      worst.cost_usd_nanos = cost;
      worst.price = row;
    }
  }
  if (worst.cost_usd_nanos < 0) {
    return PriceUnknown(order.provider, order.model, order.service_tier);
  }
  return worst;
}

bool PriceBook::Has(absl::string_view provider, absl::string_view model, absl::Time time) const {
  const Model* known = FindModel(provider, model);
  return known != nullptr && !ListsFor(*known, "", time).empty();
}

}  // namespace slipway::ledger
