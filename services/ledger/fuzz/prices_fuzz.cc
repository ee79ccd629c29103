// A price file from anywhere. What is read can be stored, priced and quoted, and a quote is never
// below what a call within its bounds costs.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "services/ledger/domain/price_book.h"
#include "services/ledger/storage/price_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::ledger;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<std::vector<Price>> rows = ParsePrices(text, "fuzz.yaml");
  if (!rows.ok()) {
    if (!absl::IsInvalidArgument(rows.status())) std::abort();
    return 0;
  }
  PriceBook book;
  const absl::StatusOr<PriceBook::Import> import = book.Add(*rows, {});
  if (!import.ok()) return 0;  // Changed more than tenfold.
  if (import->added.size() != rows->size()) std::abort();
  const TokenCounts tokens = {.input = 100'000,
                              .cache_read = 150'000,
                              .cache_write = 50'000,
                              .cache_write_long = 1'000,
                              .output = 70'000,
                              .searches = 3};
  for (const Price& row : import->added) {
    const absl::StatusOr<Quote> quote = book.WorstCase({.provider = row.provider,
                                                        .model = row.model,
                                                        .service_tier = row.service_tier,
                                                        .input_tokens = tokens.AllInput(),
                                                        .output_tokens = tokens.output,
                                                        .searches = tokens.searches},
                                                       row.effective_time);
    const Price* const found =
        book.Find(row.provider, row.model, row.service_tier, row.effective_time, tokens);
    if (!quote.ok() || found == nullptr) continue;
    const absl::StatusOr<int64_t> cost = CostOf(*found, tokens);
    if (!cost.ok() || *cost > quote->cost_usd_nanos) {
      std::fprintf(stderr, "%s/%s is quoted below its cost\n", row.provider.c_str(),
                   row.model.c_str());
      std::abort();
    }
  }
  return 0;
}
