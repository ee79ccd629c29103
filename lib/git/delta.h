#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::git {

// Deltas as packs hold them: the sizes of base and target, then copies from the base and
// insertions.

// Larger objects are sent whole: both sides of a delta are in memory.
inline constexpr size_t kDeltaObjectBytesMax = size_t{16} << 20;

// A delta that makes `target` of `base`; absent when it would not be less than half of the target,
// or one of them is larger than kDeltaObjectBytesMax. The same bytes each time.
std::optional<std::string> EncodeDelta(absl::string_view base, absl::string_view target);

// The target of `delta`, of at most `size_max` bytes. PackInvalid for any delta that is not whole
// or leaves the base.
absl::StatusOr<std::string> ApplyDelta(absl::string_view base, absl::string_view delta,
                                       size_t size_max);

}  // namespace slipway::git
