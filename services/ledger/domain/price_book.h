#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/ledger/domain/usage.h"

namespace slipway::ledger {

// A dated price of one model. Rates are pico-USD per token.
struct Price {
  int64_t id = 0;  // prices/{id}; 0 before it is stored.
  std::string provider;
  std::string model;
  std::string service_tier = "default";
  absl::Time effective_time;
  int64_t context_threshold_tokens = 0;  // Of all input tokens; holds for the whole request.
  int64_t input_pico_usd = 0;
  int64_t cache_read_pico_usd = 0;
  int64_t cache_write_pico_usd = 0;
  int64_t cache_write_long_pico_usd = 0;
  int64_t output_pico_usd = 0;
  int64_t search_usd_nanos = 0;
  std::string source;
};

// Whether a row may be stored. Fails with PriceInvalid.
absl::Status CheckPrice(const Price& row);

// What a call costs at a row, in nano-USD: every product exact, the sum rounded up once. Fails with
// AmountInvalid when it is more than kAmountMax.
absl::StatusOr<int64_t> CostOf(const Price& price, const TokenCounts& tokens);

// The bounds of a call.
struct QuoteOrder {
  std::string provider;
  std::string model;
  std::string service_tier;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  int64_t searches = 0;
};

// A price at its worst. With fewer output tokens, `input_usd_nanos` and `output_pico_usd` for each
// of them bound the cost, too.
struct Quote {
  int64_t cost_usd_nanos = 0;
  int64_t output_pico_usd = 0;
  int64_t input_usd_nanos = 0;  // Searches included.
  Price price;                  // The dearest.
  // The rates of every quote without searches whose input tokens are in [from, below).
  int64_t input_pico_usd = 0;
  int64_t input_tokens_from = 0;
  int64_t input_tokens_below = 0;  // 0: without end.
};

// All prices ever known. The rows of a provider, model and tier that share an effective time are a
// list; a list holds until the next one. Not thread-safe.
class PriceBook final {
 public:
  struct Import {
    std::vector<Price> added;  // With ids.
    int unchanged = 0;
  };

  // Adds stored rows as they are.
  void Load(const std::vector<Price>& rows);

  // Checks all rows, then adds those that are new. Fails with PriceInvalid, also for a row that is
  // known with other rates, or PriceSuspicious unless "provider/model" is in `accept`.
  absl::StatusOr<Import> Add(std::vector<Price> rows, const std::vector<std::string>& accept);

  // True when a row with this identity is known, whatever its rates.
  bool Knows(const Price& row) const;

  // The row for a call at `time`: of the list of the tier, the highest threshold that the input
  // reaches. A tier without prices costs what the dearest tier does. Null when nothing is known.
  const Price* Find(absl::string_view provider, absl::string_view model, absl::string_view tier,
                    absl::Time time, const TokenCounts& tokens) const;

  // What a call within these bounds costs at most: at the dearest row of the tier or of "default",
  // which providers fall back to, with all input of the dearest class. Fails with PriceUnknown or
  // AmountInvalid.
  absl::StatusOr<Quote> WorstCase(const QuoteOrder& order, absl::Time time) const;

  // Whether any tier of the model has a price at `time`.
  bool Has(absl::string_view provider, absl::string_view model, absl::Time time) const;

 private:
  using List = std::map<int64_t, Price>;                      // By threshold.
  using History = std::map<absl::Time, List>;                 // By effective time.
  using Model = std::map<std::string, History, std::less<>>;  // By tier.

  const Model* FindModel(absl::string_view provider, absl::string_view model) const;
  static const List* CurrentOf(const History& history, absl::Time time);
  std::vector<const List*> ListsFor(const Model& model, absl::string_view tier,
                                    absl::Time time) const;
  absl::Status CheckChange(const Price& row, const std::vector<std::string>& accept) const;
  void Insert(const Price& row);

  std::map<std::pair<std::string, std::string>, Model> models_;
  int64_t last_id_ = 0;
};

// "default" for what providers call it.
std::string NormalisedTier(absl::string_view tier);

}  // namespace slipway::ledger
