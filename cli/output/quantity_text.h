#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace slipway::cli {

// Dollars with two decimals, or as many more as the amount needs: "$0.00", "$12.50", "-$0.000042".
std::string MoneyText(int64_t usd_nanos);

// Billionths of a dollar of "12", "12.5" or "$0.000042". INVALID_ARGUMENT (AMOUNT_INVALID) when it
// is no such number, negative, or has more than nine decimals.
absl::StatusOr<int64_t> ParseMoney(absl::string_view text);

// The two leading units: "850ms", "4.2s", "3m 05s", "2h 10m", "3d 4h".
std::string DurationText(absl::Duration duration);

// "just now", "4m ago", "in 12s"; "" for an absent time.
std::string RelativeText(absl::Time time, absl::Time now);

// 1234567 as "1,234,567".
std::string CountText(int64_t count);

}  // namespace slipway::cli
