#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::patch {

// Decodes one line of git's base85 (a length character and groups of five) and appends the bytes
// to `out`. False when the line is not exactly what git writes.
bool DecodeBase85Line(absl::string_view line, std::string& out);

// Inflates a zlib stream of exactly `size` bytes. Never holds more than `size` bytes and a few;
// fails with INFLATE_LIMIT when there are more, with CORRUPT when there are fewer, when the stream
// is damaged or when something follows it.
absl::StatusOr<std::string> InflateExactly(absl::string_view deflated, size_t size);

// Checks a git delta from end to end without its base: instructions well formed, copies inside a
// base of the size it states, the result exactly of the size it states, both at most `bytes_max`.
// Fails with DELTA_LIMIT for the sizes, else CORRUPT.
absl::Status CheckDelta(absl::string_view delta, size_t bytes_max);

// Applies a delta that CheckDelta accepts. Fails with STALE when `base` has not the size it states.
absl::StatusOr<std::string> ApplyDelta(absl::string_view delta, absl::string_view base,
                                       size_t bytes_max);

// "literal <size>" and the lines of `content` as git writes them, with the empty line at the end.
std::string EncodeBinaryLiteral(absl::string_view content);

}  // namespace slipway::patch
