#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::cli {

// How many terminal cells `text` takes: wide characters two, combining ones none.
int DisplayWidth(absl::string_view text);

// `text` cut to at most `width` cells, with an ellipsis where something was cut.
std::string FitToWidth(absl::string_view text, int width);

// `text` as one line that cannot move the cursor: what comes from models and repositories is
// printed through this. Control characters become spaces, bytes that are not UTF-8 U+FFFD.
std::string OneLine(absl::string_view text);

// `text` with its line breaks and tabs kept and every other control character removed.
std::string PlainText(absl::string_view text);

}  // namespace slipway::cli
