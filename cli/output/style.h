#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::cli {

// What a piece of text means; a terminal shows it as a colour.
enum class Tone { kPlain, kGood, kBad, kWarning, kActive, kQuiet, kStrong };

// `text` in the colour of `tone`; unchanged without `colour`.
std::string Paint(Tone tone, absl::string_view text, bool colour);

}  // namespace slipway::cli
