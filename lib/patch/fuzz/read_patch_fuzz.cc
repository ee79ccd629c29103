#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "lib/patch/applier.h"
#include "lib/patch/blob_id.h"
#include "lib/patch/fake_base_view.h"
#include "lib/patch/model_edit.h"
#include "lib/patch/unified_parser.h"

// Whatever is read must be refused, or give contents that are what their ids say.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::patch;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  FakeBaseView base{{"f", "1\n2\n3\n"}, {"dir/x", "x\r\ny\r\n"}, {"end", "no newline"}};
  const auto check = [](const absl::StatusOr<std::vector<TreeChange>>& changes) {
    if (!changes.ok()) return;
    for (const TreeChange& change : *changes) {
      if (change.after && change.after->oid != GitBlobId(change.after->content)) std::abort();
    }
  };
  const absl::StatusOr<Patch> patch = ParseUnified(input);
  if (patch.ok()) check(Apply(*patch, base));
  check(ReadModelEdit(input, base));
  return 0;
}
