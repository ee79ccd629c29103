#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace slipway::events {

// An event is what a person reads or a program reacts to; bulk data is referred to.
inline constexpr size_t kEventBytesMax = 64 << 10;

// A response: bounded so that it stays far below gRPC's 4 MiB and a slow reader holds little.
inline constexpr int kBatchEventsMax = 500;
inline constexpr size_t kBatchBytesMax = 1 << 20;

// Events looked at in one read, whatever the filter keeps: bounds how long a read takes, and how
// far a resumed watch falls back behind a filter that matches nothing.
inline constexpr int64_t kScanMax = 1'000;

// An idle watch gets a bookmark this often, so that its token stays young and proxies keep it.
inline constexpr absl::Duration kBookmarkInterval = absl::Seconds(5);

// More kinds than there are; a filter is evaluated for each event.
inline constexpr int kFilterKindsMax = 50;

// Our tokens have well under 100 characters.
inline constexpr size_t kResumeTokenBytesMax = 256;

// Rows deleted in one transaction: writers wait for it.
inline constexpr int64_t kCompactStep = 5'000;

// ListEvents.
inline constexpr int kPageSizeDefault = 100;

}  // namespace slipway::events
