#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::patch {

// One element of "edits".
struct JsonEdit {
  enum class Op { kWrite, kReplace, kDelete };
  std::string path;
  Op op = Op::kWrite;
  std::string content;             // Of kWrite.
  std::optional<bool> executable;  // Of kWrite; absent: as it was.
  std::string old_text;            // Of kReplace; not empty.
  std::string new_text;
};

// A reply in JSON: either edits or a diff.
struct JsonReply {
  std::vector<JsonEdit> edits;
  std::optional<std::string> diff;
};

// Fails with INVALID_ARGUMENT, JSON: not JSON, not UTF-8, a key twice in one object, deeper than
// 32, a NUL character, or not of the shape that ReadModelEdit describes. Other keys beside "edits"
// and the diff are ignored, as models explain themselves there.
absl::StatusOr<JsonReply> ReadJsonReply(absl::string_view text, size_t edits_max);

}  // namespace slipway::patch
