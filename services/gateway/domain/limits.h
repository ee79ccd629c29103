#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace slipway::gateway {

// All tokens that work are held in memory, about 300 bytes each.
inline constexpr int64_t kTokensMax = 10'000;
inline constexpr size_t kTitleCharactersMax = 100;
// Our secrets have under 60 characters; longer text is not hashed.
inline constexpr size_t kSecretBytesMax = 256;
// A one-time token travels through a terminal or a URL.
inline constexpr absl::Duration kOneTimeTokenLife = absl::Hours(24);

inline constexpr int kPageSizeDefault = 100;
inline constexpr int kPageSizeMax = 1'000;

// Tickets stand in URLs, where they are logged and remembered: long enough to open a stream.
inline constexpr absl::Duration kTicketLife = absl::Seconds(60);
inline constexpr size_t kTicketsMax = 10'000;

// A flood of denied requests must not fill the disk: this many events at once, then this many a
// second. The metric counts them all.
inline constexpr double kDenialsBurst = 20;
inline constexpr double kDenialsPerSecond = 1;

// Calls under way at once, streams included: each holds two messages of up to 16 MiB.
inline constexpr int kCallsMax = 2'000;
// Of a unary call whose caller set no deadline.
inline constexpr absl::Duration kUnaryTimeoutMax = absl::Minutes(5);

}  // namespace slipway::gateway
