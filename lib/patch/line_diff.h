#pragma once

#include <cstddef>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::patch {

// Lines [old_begin, old_end) give way to lines [new_begin, new_end), counted from 0.
struct LineEdit {
  size_t old_begin = 0;
  size_t old_end = 0;
  size_t new_begin = 0;
  size_t new_end = 0;
};

// The lines of `text`, each with its line end; the last may have none.
std::vector<absl::string_view> SplitLines(absl::string_view text);

// A short list of edits, in order and apart from each other, that turns one text into the other:
// Myers' divide and conquer in linear space. The shortest list unless the texts differ so much that
// `steps_max` comparisons do not find it: then whole stretches are replaced.
std::vector<LineEdit> DiffLineLists(const std::vector<absl::string_view>& old_lines,
                                    const std::vector<absl::string_view>& new_lines,
                                    size_t steps_max = size_t{1} << 24);

}  // namespace slipway::patch
