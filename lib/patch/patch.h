#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::patch {

// The modes of git trees that a change may carry, and the two that it may only meet.
inline constexpr uint32_t kRegular = 0100644;
inline constexpr uint32_t kExecutable = 0100755;
inline constexpr uint32_t kSymlink = 0120000;
inline constexpr uint32_t kGitlink = 0160000;
inline constexpr uint32_t kDirectory = 0040000;

inline bool IsFile(uint32_t mode) { return mode == kRegular || mode == kExecutable; }

// Every bound of the parser and the applier.
struct Limits {
  size_t patch_bytes_max = 64u << 20;  // Read whole: bounds memory of one submission.
  size_t sections_max = 5'000;         // Each costs a base look-up and an object write.
  size_t hunks_max = 20'000;           // Beyond, a whole-file replacement is shorter.
  size_t line_bytes_max = 4u << 20;    // Scanners and viewers hold a line at once.
  size_t file_bytes_max = 32u << 20;   // Of one file, before and after the change.
  // All binary data of one patch, inflated: a patch of the largest size inflates a thousandfold.
  size_t inflated_bytes_max = 256u << 20;
  // All contents an application returns: they are held in memory together.
  size_t result_bytes_max = 512u << 20;
  // Whether renames and copies are read. Who allows them looks at both of their paths.
  bool renames = false;
};

// One line of a hunk. `text` has no line end; `newline` is false for the last line of a file that
// does not end in one.
struct HunkLine {
  char kind = ' ';  // ' ' context, '-' removed, '+' added.
  absl::string_view text;
  bool newline = true;
};

struct Hunk {
  uint64_t old_start = 0;
  uint64_t old_count = 0;
  uint64_t new_start = 0;
  uint64_t new_count = 0;
  // The lines as they stand in the diff, each with its kind in front and its line end, and the
  // markers of missing newlines. Checked by the parser against the counts.
  std::string body;

  // The lines of `body`, as views into it.
  std::vector<HunkLine> Lines() const;
};

// The forward half of a binary change, inflated: the new content, or a git delta that makes it
// out of the old content.
struct BinaryData {
  enum class Kind { kLiteral, kDelta };
  Kind kind = Kind::kLiteral;
  std::string data;
};

enum class ChangeOp { kAdd, kModify, kDelete, kModeOnly, kRename, kCopy };

// What happens to one path. A change of type (file to symlink or back) is two changes of one path,
// a kDelete directly followed by a kAdd, both with `type_change`.
struct FileChange {
  ChangeOp op = ChangeOp::kModify;
  bool type_change = false;
  std::string old_path;   // Equal to new_path but for kRename and kCopy; empty for kAdd.
  std::string new_path;   // Empty for kDelete.
  uint32_t old_mode = 0;  // 0 for kAdd, and for a kRename or kCopy that keeps the mode it finds.
  uint32_t new_mode = 0;  // 0 for kDelete; else as old_mode.
  std::string old_oid;    // 40 hexadecimal digits; empty for kAdd and where the content stays.
  std::string new_oid;    // 40 hexadecimal digits; empty for kDelete and where the content stays.
  // No hunks: the content stays (kModeOnly, kRename, kCopy) or is empty (kAdd, kDelete).
  std::variant<std::vector<Hunk>, BinaryData> content;
  size_t line = 0;  // Where the change stands in the diff, from 1.

  const std::string& path() const { return new_path.empty() ? old_path : new_path; }
  // Whether there are two different paths.
  bool moves() const { return op == ChangeOp::kRename || op == ChangeOp::kCopy; }
  bool binary() const { return std::holds_alternative<BinaryData>(content); }
  const std::vector<Hunk>& hunks() const { return std::get<std::vector<Hunk>>(content); }
};

// A set of changes in which no path is written twice, apart from changes of type. The target of a
// rename may be the source of another.
struct Patch {
  std::vector<FileChange> files;
};

}  // namespace slipway::patch
