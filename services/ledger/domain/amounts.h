#pragma once

#include <array>
#include <cstdint>

namespace slipway::ledger {

enum class Metric { kUsdNanos = 1, kTokens = 2, kRequests = 3 };

inline constexpr std::array<Metric, 3> kMetrics = {Metric::kUsdNanos, Metric::kTokens,
                                                   Metric::kRequests};

// An amount in every metric that a call counts in.
struct Amounts {
  int64_t usd_nanos = 0;
  int64_t tokens = 0;
  int64_t requests = 0;

  int64_t Of(Metric metric) const { return const_cast<Amounts&>(*this).Of(metric); }
  int64_t& Of(Metric metric) {
    return metric == Metric::kUsdNanos ? usd_nanos : metric == Metric::kTokens ? tokens : requests;
  }

  friend bool operator==(const Amounts&, const Amounts&) = default;
};

}  // namespace slipway::ledger
