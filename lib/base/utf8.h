#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace slipway::base {

// The length of the well-formed UTF-8 sequence at the start of `text`, which is not empty; 0 when
// there is none. Overlong forms, surrogates and code points above U+10FFFF are not well-formed.
size_t Utf8SequenceLength(absl::string_view text);

// At most `size_max` bytes of `text`, cut between characters, with every byte that is not UTF-8
// replaced by U+FFFD.
std::string ToUtf8(absl::string_view text, size_t size_max);

}  // namespace slipway::base
