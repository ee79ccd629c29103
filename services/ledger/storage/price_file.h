#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/ledger/domain/price_book.h"

namespace slipway::ledger {

// Reads a price file: YAML, of which JSON is a part.
//   version: 1
//   prices:
//     - provider: openai
//       model: gpt-6-luna
//       service_tier: default            # may be left out
//       effective: 2026-07-30            # or a time of RFC 3339
//       above_input_tokens: 272000       # may be left out: the first tier of context
//       usd_per_mtok: {input: 0.10, cache_read: 0.01, cache_write: 0.125,
//                      cache_write_long: 0.20, output: 0.50}
//       usd_per_1k_searches: 10          # may be left out
//       source: where and when it was read
// Decimals are read exactly, never as floating point. A cache class that is left out costs what
// input does. Unknown keys are refused. Fails with PriceFileInvalid or PriceFileUnreadable.
absl::StatusOr<std::vector<Price>> ReadPriceFile(const std::string& path);
absl::StatusOr<std::vector<Price>> ParsePrices(absl::string_view text, absl::string_view name);

// `text`, a decimal such as "0.125", times 10^`scale`. Fails when it is negative, malformed, has
// more decimals than the scale, or does not fit.
absl::StatusOr<int64_t> ParseDecimal(absl::string_view text, int scale);

}  // namespace slipway::ledger
