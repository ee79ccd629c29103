#include "services/dispatcher/domain/retry_policy.h"

#include <algorithm>
#include <map>
#include <string>

#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

constexpr int kDoublingsMax = 16;  // Beyond every limit of ours; keeps the shift sound.

absl::Duration Backoff(absl::Duration initial, absl::Duration limit, int earlier_failures,
                       const Randomness& random) {
  const int doublings = std::clamp(earlier_failures, 0, kDoublingsMax);
  const absl::Duration whole = std::min(limit, initial * (int64_t{1} << doublings));
  return whole / 2 + whole / 2 * random();
}

}  // namespace

absl::string_view Name(RetryClass retry_class) {
  switch (retry_class) {
    case RetryClass::kAgent:
      return "agent";
    case RetryClass::kConflict:
      return "conflict";
    case RetryClass::kInfrastructure:
      return "infrastructure";
    case RetryClass::kProvider:
      return "provider";
    case RetryClass::kStall:
      return "stall";
  }
  return "";
}

int RetriesMax(RetryClass retry_class, const RunPolicy& policy) {
  switch (retry_class) {
    case RetryClass::kAgent:
      return policy.retries_max;
    case RetryClass::kConflict:
      return kConflictRetriesMax;
    case RetryClass::kInfrastructure:
      return kInfrastructureRetriesMax;
    case RetryClass::kProvider:
      return kProviderRetriesMax;
    case RetryClass::kStall:
      return kStallRetriesMax;
  }
  return 0;
}

absl::Duration RetryDelay(RetryClass retry_class, int earlier_failures, absl::Duration initial,
                          const Randomness& random) {
  if (retry_class == RetryClass::kAgent || retry_class == RetryClass::kConflict ||
      retry_class == RetryClass::kStall) {
    return absl::ZeroDuration();
  }
  return Backoff(initial, kBackoffMax, earlier_failures, random);
}

absl::Duration LongestWait(const std::map<std::string, int>& retries, absl::Duration initial) {
  absl::Duration longest = initial;
  for (const RetryClass waits : {RetryClass::kInfrastructure, RetryClass::kProvider}) {
    const auto used = retries.find(std::string(Name(waits)));
    if (used == retries.end()) continue;
    longest = std::max(longest, RetryDelay(waits, used->second - 1, initial, [] { return 1.0; }));
  }
  return longest;
}

absl::Duration StepDelay(int earlier_failures, const Randomness& random) {
  return Backoff(kStepBackoffInitial, kStepBackoffMax, earlier_failures, random);
}

}  // namespace slipway::dispatcher
