#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "lib/patch/patch.h"
#include "lib/patch/refusal.h"

namespace slipway::patch {

// The lines of one section between "diff --git" and its content: collected first, then judged
// together. Every refusal is at the place given.
class SectionHeaders final {
 public:
  // What follows the headers.
  enum class Next { kNothing, kText, kOther };

  // Takes `line` when it is one of these lines; `known` says whether it is.
  absl::Status Take(absl::string_view line, const Place& place, bool& known);

  bool any() const { return index_ || old_mode_ || new_mode_ || added_mode_ || deleted_mode_; }
  // Whether there is a line of a rename or a copy.
  bool moves() const { return from_.has_value() || to_.has_value() || similarity_.has_value(); }
  const std::string& from() const { return *from_; }
  const std::string& to() const { return *to_; }

  // Whether the lines of the rename or copy are complete and agree with `header`, the rest of the
  // line "diff --git ". Fails with HEADER_MISMATCH, RENAME (not `allowed`) or CORRUPT.
  absl::Status CheckMove(absl::string_view header, bool allowed, const Place& place) const;

  // Fills in the operation, paths, modes and ids of `change`. `path` is the one that both sides
  // have, or the new one of a move.
  absl::Status Decide(const std::string& path, Next next, const Place& place,
                      FileChange& change) const;

 private:
  absl::Status TakeIndex(absl::string_view text, const Place& place);
  absl::Status TakeMove(absl::string_view line, const Place& place, bool& known);
  absl::Status DecideModes(const Place& place, Next next, FileChange& change) const;
  absl::Status CheckOids(const Place& place, const FileChange& change) const;

  std::optional<uint32_t> old_mode_;
  std::optional<uint32_t> new_mode_;
  std::optional<uint32_t> added_mode_;
  std::optional<uint32_t> deleted_mode_;
  bool index_ = false;
  std::string old_oid_;
  std::string new_oid_;
  std::optional<uint32_t> index_mode_;
  bool copy_ = false;
  std::optional<std::string> from_;
  std::optional<std::string> to_;
  std::optional<int> similarity_;  // In per cent.
};

}  // namespace slipway::patch
