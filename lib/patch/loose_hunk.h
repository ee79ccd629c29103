#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "lib/patch/patch.h"

namespace slipway::patch {

// A change of some lines whose place in the file is to be found.
struct LooseHunk {
  std::vector<HunkLine> lines;  // Views into the text that was read.
  size_t number = 1;            // Of the file, from 1, for messages.
  size_t stated_line = 0;       // Where the first old line is said to stand, from 1; 0: not said.
  // Lines that stand before the hunk, in this order: it is searched after them.
  std::vector<absl::string_view> anchors;
  bool at_end = false;  // The old lines are the last of the file.
};

enum class HunkOrder { kAny, kAscending };

// Finds every hunk in `content` and returns the changed content. Context keeps the file's bytes;
// added lines get the file's line ends, and its indentation where the hunk's differs. A hunk's
// lines must occur once, or more often but also at the stated line.
//
// Fails with FAILED_PRECONDITION: STALE, AMBIGUOUS, ZERO_CONTEXT, OVERLAP, ORDER, LIMITS; each
// message shows the expected and the actual lines with their numbers.
absl::StatusOr<std::string> ApplyLooseHunks(absl::string_view path, absl::string_view content,
                                            const std::vector<LooseHunk>& hunks,
                                            HunkOrder order = HunkOrder::kAny);

}  // namespace slipway::patch
