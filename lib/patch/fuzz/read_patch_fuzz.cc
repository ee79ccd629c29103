#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "lib/patch/applier.h"
#include "lib/patch/blob_id.h"
#include "lib/patch/fake_base_view.h"
#include "lib/patch/model_edit.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"

namespace {

using slipway::patch::BaseView;
using slipway::patch::TreeChange;

// Contents are what their ids say, and rendered anew they are read to the same changes.
void Check(const absl::StatusOr<std::vector<TreeChange>>& changes, BaseView& base) {
  using namespace slipway::patch;
  if (!changes.ok()) return;
  for (const TreeChange& change : *changes) {
    if (change.after && change.after->oid != GitBlobId(change.after->content)) std::abort();
  }
  const absl::StatusOr<std::string> diff = RenderChanges(*changes, base);
  if (!diff.ok() || diff->empty()) return;
  const absl::StatusOr<Patch> patch = ParseUnified(*diff);
  if (!patch.ok()) return;  // A name that only a rename's lines made clear.
  const absl::StatusOr<std::vector<TreeChange>> again = Apply(*patch, base);
  if (!again.ok()) std::abort();
  size_t at = 0;
  for (const TreeChange& change : *changes) {
    if (at < again->size() && (*again)[at].path == change.path) {
      const auto& after = (*again)[at++].after;
      if (after.has_value() != change.after.has_value()) std::abort();
      if (after && (after->oid != change.after->oid || after->mode != change.after->mode)) {
        std::abort();
      }
    }
  }
  if (at != again->size()) std::abort();
}

}  // namespace

// Whatever is read must be refused, or give changes that hold what they say. Memory is bounded by
// the limits, which are small here so that an input of a few kilobytes reaches them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::patch;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  static FakeBaseView& base = *new FakeBaseView{{"f", "1\n2\n3\n"},
                                                {"dir/x", "x\r\ny\r\n"},
                                                {"end", "no newline"},
                                                {"b", std::string("\0b", 2)}};
  for (const bool renames : {false, true}) {
    const Limits limits{.sections_max = 50,
                        .hunks_max = 100,
                        .file_bytes_max = 1 << 20,
                        .inflated_bytes_max = 4 << 20,
                        .result_bytes_max = 4 << 20,
                        .renames = renames};
    const absl::StatusOr<Patch> patch = ParseUnified(input, limits);
    if (patch.ok()) Check(Apply(*patch, base, limits), base);
    Check(ReadModelEdit(input, base, {.limits = limits}), base);
  }
  return 0;
}
