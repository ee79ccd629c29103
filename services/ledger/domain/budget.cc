#include "services/ledger/domain/budget.h"

#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"

namespace slipway::ledger {

std::string BudgetId(const std::string& scope, Metric metric, Window window) {
  const std::string digest =
      base::Sha256Hex(absl::StrCat(scope, "\n", NameOf(metric), "\n", NameOf(window)));
  return absl::StrCat("b", digest.substr(0, kBudgetIdBytes - 1));
}

const char* NameOf(Metric metric) {
  switch (metric) {
    case Metric::kUsdNanos:
      return "USD_NANOS";
    case Metric::kTokens:
      return "TOKENS";
    case Metric::kRequests:
      return "REQUESTS";
  }
  return "";
}

const char* NameOf(Window window) {
  switch (window) {
    case Window::kTotal:
      return "TOTAL";
    case Window::kMonth:
      return "MONTH";
    case Window::kDay:
      return "DAY";
  }
  return "";
}

}  // namespace slipway::ledger
