#include "cli/output/quantity_text.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"

namespace slipway::cli {
namespace {

constexpr uint64_t kNanosPerDollar = 1'000'000'000;
constexpr size_t kDecimalsMax = 9;

absl::Status AmountInvalid(absl::string_view text) {
  return base::Error(absl::StatusCode::kInvalidArgument, "AMOUNT_INVALID",
                     absl::StrCat("'", text, "' is not an amount of dollars such as 12.50"),
                     {{"amount", std::string(text)}});
}

bool AllDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

}  // namespace

std::string MoneyText(int64_t usd_nanos) {
  const bool negative = usd_nanos < 0;
  const uint64_t amount =
      negative ? ~static_cast<uint64_t>(usd_nanos) + 1 : static_cast<uint64_t>(usd_nanos);
  std::string decimals = absl::StrFormat("%09d", amount % kNanosPerDollar);
  while (decimals.size() > 2 && decimals.back() == '0') decimals.pop_back();
  return absl::StrCat(negative ? "-$" : "$",
                      CountText(static_cast<int64_t>(amount / kNanosPerDollar)), ".", decimals);
}

absl::StatusOr<int64_t> ParseMoney(absl::string_view text) {
  const absl::string_view number = absl::StripPrefix(text, "$");
  const size_t point = number.find('.');
  const absl::string_view whole = number.substr(0, point);
  std::string decimals(point == absl::string_view::npos ? "0" : number.substr(point + 1));
  if (!AllDigits(whole) || !AllDigits(decimals) || decimals.size() > kDecimalsMax) {
    return AmountInvalid(text);
  }
  decimals.resize(kDecimalsMax, '0');
  int64_t dollars = 0;
  int64_t nanos = 0;
  constexpr int64_t kDollarsMax = std::numeric_limits<int64_t>::max() / 1'000'000'000 - 1;
  if (!absl::SimpleAtoi(whole, &dollars) || dollars > kDollarsMax ||
      !absl::SimpleAtoi(decimals, &nanos)) {
    return AmountInvalid(text);
  }
  return dollars * static_cast<int64_t>(kNanosPerDollar) + nanos;
}

std::string DurationText(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) duration = -duration;
  if (duration < absl::Seconds(1)) {
    return absl::StrCat(absl::ToInt64Milliseconds(duration), "ms");
  }
  if (duration < absl::Seconds(10)) {
    return absl::StrFormat("%.1fs",
                           absl::ToDoubleSeconds(absl::Trunc(duration, absl::Milliseconds(100))));
  }
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3'600) return absl::StrFormat("%dm %02ds", seconds / 60, seconds % 60);
  if (seconds < 86'400) {
    return absl::StrFormat("%dh %02dm", seconds / 3'600, seconds % 3'600 / 60);
  }
  return absl::StrFormat("%dd %dh", seconds / 86'400, seconds % 86'400 / 3'600);
}

std::string RelativeText(absl::Time time, absl::Time now) {
  if (time <= absl::UnixEpoch()) return "";
  const absl::Duration since = now - time;
  if (absl::AbsDuration(since) < absl::Seconds(1)) return "just now";
  const int64_t seconds = absl::ToInt64Seconds(absl::AbsDuration(since));
  std::string amount;
  if (seconds < 60) {
    amount = absl::StrCat(seconds, "s");
  } else if (seconds < 3'600) {
    amount = absl::StrCat(seconds / 60, "m");
  } else if (seconds < 86'400) {
    amount = absl::StrCat(seconds / 3'600, "h");
  } else {
    amount = absl::StrCat(seconds / 86'400, "d");
  }
  return since > absl::ZeroDuration() ? absl::StrCat(amount, " ago") : absl::StrCat("in ", amount);
}

std::string CountText(int64_t count) {
  std::string digits = absl::StrCat(count);
  const ptrdiff_t first = count < 0 ? 1 : 0;
  for (ptrdiff_t at = static_cast<ptrdiff_t>(digits.size()) - 3; at > first; at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

}  // namespace slipway::cli
