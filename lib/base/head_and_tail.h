#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::base {

// `text` when it is at most `bytes_max` long, else its first `head_bytes` and its end, with a line
// between them that says how much is left out; at most `bytes_max` bytes. `text` is UTF-8, and so
// is the result. `head_bytes` leaves room for the line and an end.
std::string HeadAndTail(absl::string_view text, size_t head_bytes, size_t bytes_max);

// The line itself.
std::string LeftOut(size_t bytes);

}  // namespace slipway::base
