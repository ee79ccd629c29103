#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::ledger {

enum class Window { kTotal = 1, kMonth = 2, kDay = 3 };

// The zone of an IANA name, empty for UTC. Fails with TimeZoneUnknown.
absl::StatusOr<absl::TimeZone> FindTimeZone(const std::string& name);

// The first moment of the window that `time` is in: of the calendar day or month in `zone`, where
// days may have 23 or 25 hours. The one window of kTotal starts at the Unix epoch.
absl::Time WindowStart(Window window, const absl::TimeZone& zone, absl::Time time);

// The first moment after that window; InfiniteFuture for kTotal.
absl::Time WindowEnd(Window window, const absl::TimeZone& zone, absl::Time time);

}  // namespace slipway::ledger
