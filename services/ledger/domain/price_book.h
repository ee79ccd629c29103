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

// What a call costs at a row, in nano-USD: every product exact, the sum rounded up once. Fails with
// AmountInvalid when it is more than kAmountMax.
absl::StatusOr<int64_t> CostOf(const Price& price, const TokenCounts& tokens);

// A price at its worst.
struct Quote {
  int64_t cost_usd_nanos = 0;
  int64_t output_pico_usd = 0;
  int64_t input_usd_nanos = 0;
  Price price;
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

  // The dearest row that a call of at most these tokens could be served at. Fails with
  // PriceUnknown or AmountInvalid.
  absl::StatusOr<Quote> WorstCase(const std::string& provider, const std::string& model,
                                  const std::string& tier, absl::Time time, int64_t input_tokens,
                                  int64_t output_tokens) const;

  // Whether any tier of the model has a price at `time`.
  bool Has(absl::string_view provider, absl::string_view model, absl::Time time) const;

 private:
  using List = std::map<int64_t, Price>;                      // By threshold.
  using History = std::map<absl::Time, List>;                 // By effective time.
  using Model = std::map<std::string, History, std::less<>>;  // By tier.

  const Model* FindModel(absl::string_view provider, absl::string_view model) const;
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
