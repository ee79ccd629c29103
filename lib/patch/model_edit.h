#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "lib/patch/base_view.h"
#include "lib/patch/patch.h"
#include "lib/patch/tree_change.h"

namespace slipway::patch {

struct ModelEditOptions {
  Limits limits;
  size_t reply_bytes_max = 32u << 20;  // Base64 of a large binary change; text is far smaller.
};

// Reads an edit as a language model types it. The reply is one of
//   {"edits":[{"path","op":"write","content"[,"executable"]} | {"path","op":"replace","old","new"}
//   |
//             {"path","op":"delete"}]}
//   {"patch":"<diff>"} or {"patch_base64":"<diff>"}, both bare or in one ```json fence
//   a unified diff, bare or in the only fence of the reply
//   SEARCH/REPLACE blocks, each after a line with its path
//   *** Begin Patch ... *** End Patch
//
// A diff that ParseUnified accepts is applied exactly, and its failure is final. Otherwise counts,
// positions and ids are not believed: the text of each hunk must occur in its file exactly once
// (or at its stated line), as it is, else apart from trailing blanks and line ends, else apart from
// one and the same indentation. Nothing is guessed, and all of the reply applies or nothing.
//
// The result has passed through RenderChanges, ParseUnified and Apply, so it keeps all their
// promises. Failures are made to be sent back to the model: they name the file and hunk and show
// the expected and the actual lines. Reasons: those of ParseUnified and Apply, and JSON,
// AMBIGUOUS, NO_EDIT, SYMLINK.
absl::StatusOr<std::vector<TreeChange>> ReadModelEdit(absl::string_view reply, BaseView& base,
                                                      const ModelEditOptions& options = {});

}  // namespace slipway::patch
