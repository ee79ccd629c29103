#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace slipway::patch {

// `path` as git writes it in a diff: in double quotes with C escapes when it holds a quote, a
// backslash, a control character or a byte outside ASCII; else as it is.
std::string QuotePath(absl::string_view path);

// Takes a name in double quotes off the front of `text` and returns the bytes it stands for.
// Absent, and `text` as it was, when it is not well formed.
std::optional<std::string> TakeQuoted(absl::string_view& text);

}  // namespace slipway::patch
