#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace slipway::ledger {

// One hold, settlement or correction: a million dollars, far above any call, and low enough that
// thousands of them cannot overflow a balance.
inline constexpr int64_t kAmountMax = 1'000'000'000'000'000;

// Searches, tokens and rates of one call: products stay far within 128 bits.
inline constexpr int64_t kTokensMax = 1'000'000'000'000;
inline constexpr int64_t kRateMax = 1'000'000'000'000;  // A dollar for one token.

// Keys and short texts of callers: ids, not documents.
inline constexpr size_t kKeyBytesMax = 200;
inline constexpr size_t kTextBytesMax = 500;

// After a day nobody waits for the outcome of a call.
inline constexpr absl::Duration kLifetimeMax = absl::Hours(24);

// Holds closed in one transaction: bounds how long others wait behind an expiry of thousands.
inline constexpr int kCloseBatch = 256;

// When holds that have expired, or whose expiry is not known, may have ended.
inline constexpr absl::Duration kSiblingRetry = absl::Seconds(1);

// Holds looked through for the first that is in the way of another: a fraction of a millisecond.
inline constexpr int kSiblingScanMax = 1'024;

inline constexpr size_t kWarnPercentsMax = 10;

// Rows of one import; a full price list of all vendors has a few hundred.
inline constexpr size_t kPriceRowsMax = 10'000;

inline constexpr int kPageSizeDefault = 100;
inline constexpr int kPageSizeMax = 1'000;

// Operations of one message of a stream: as many as queue up while the one before is written.
inline constexpr int kMessageOperationsMax = 256;
// Of such a message; one operation has a few kB at most.
inline constexpr size_t kMessageBytesMax = 1 << 20;
// Operations of one stream that are not answered: a quarter of what may wait to be decided, so that
// no caller alone makes others be refused.
inline constexpr int kOperationsUnderWayMax = 1'024;

// Lines that an audit tells of each invariant.
inline constexpr size_t kBreachesMax = 20;

}  // namespace slipway::ledger
