#include "lib/patch/patch.h"

namespace slipway::patch {

std::vector<HunkLine> Hunk::Lines() const {
  std::vector<HunkLine> lines;
  lines.reserve(old_count + new_count < body.size() ? old_count + new_count : body.size());
  absl::string_view rest = body;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const absl::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == absl::string_view::npos ? rest.size() : end + 1);
    if (line.empty()) continue;
    if (line[0] == '\\') {
      if (!lines.empty()) lines.back().newline = false;
      continue;
    }
    lines.push_back({.kind = line[0], .text = line.substr(1)});
  }
  return lines;
}

}  // namespace slipway::patch
