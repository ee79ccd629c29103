#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "lib/patch/refusal.h"

namespace slipway::patch {

// `line` without the CR of a line end of Windows.
inline absl::string_view WithoutCr(absl::string_view line) { return absl::StripSuffix(line, "\r"); }

// The lines of a text, one after the other, with their numbers from 1.
class DiffLines final {
 public:
  explicit DiffLines(absl::string_view text) : rest_(text) { Find(); }

  bool done() const { return rest_.empty(); }
  // The line at hand, without its line end; empty when done.
  absl::string_view line() const { return line_; }
  size_t number() const { return number_; }
  size_t bytes_left() const { return rest_.size(); }
  // The text from the line at hand to the end.
  absl::string_view rest() const { return rest_; }

  void Next() {
    rest_.remove_prefix(line_.size() < rest_.size() ? line_.size() + 1 : rest_.size());
    ++number_;
    Find();
  }

 private:
  void Find() { line_ = rest_.substr(0, rest_.find('\n')); }

  absl::string_view rest_;
  absl::string_view line_;
  size_t number_ = 1;
};

// "@@ -start,count +start,count @@ section" taken apart.
struct HunkHeader {
  uint64_t old_start = 0;
  uint64_t old_count = 1;
  uint64_t new_start = 0;
  uint64_t new_count = 1;
};

// Absent when `line` is not such a header with numbers below 2^31.
std::optional<HunkHeader> ParseHunkHeader(absl::string_view line);

// The path that the rest of a line "diff --git " names on both sides.
struct GitHeader {
  std::string path;
  // Another reader could end the names earlier: other lines must name the file, too.
  bool ambiguous = false;
};
// Fails with PREFIX, or HEADER_MISMATCH when the names differ (perhaps a move, see NamesMove).
absl::StatusOr<GitHeader> ParseGitHeader(absl::string_view text, size_t line);

// Whether the rest of a line "diff --git " names `old_path` and `new_path`.
bool NamesMove(absl::string_view text, absl::string_view old_path, absl::string_view new_path);

// The name in a line "rename from " and the like; absent when it is badly quoted.
std::optional<std::string> PlainName(absl::string_view text);

// Whether the name of a line "--- " or "+++ " is `expected`. Fails with HEADER_MISMATCH, or FORMAT
// when a timestamp follows the name.
absl::Status CheckFileLine(absl::string_view text, absl::string_view expected, size_t line);

// The mode of a file or symlink in six octal digits. Fails with CORRUPT, SUBMODULE or BAD_MODE.
absl::StatusOr<uint32_t> ParseMode(absl::string_view digits, const Place& place);

// Why a line that starts no section is refused: FORMAT for other kinds of diff, EOL, else GARBAGE.
absl::Status NotASection(absl::string_view line, size_t number);

}  // namespace slipway::patch
