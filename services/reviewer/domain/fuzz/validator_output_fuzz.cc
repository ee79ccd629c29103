#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "lib/base/utf8.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/validator_output.h"

// The first byte chooses the format. Whatever a validator prints, what is told of it is bounded
// text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  constexpr const char* kFormats[] = {"pytest", "ctest", "junit", "tap", "go", "node"};
  if (size == 0) return 0;
  const absl::string_view output(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto failures = reviewer::FailuresIn(kFormats[data[0] % 6], output);
  if (failures.size() > reviewer::kFailuresMax) std::abort();
  for (const std::string& failure : failures) {
    if (failure.empty() || failure.size() > reviewer::kFailureBytesMax ||
        base::ToUtf8(failure, reviewer::kFailureBytesMax) != failure) {
      std::abort();
    }
  }
  return 0;
}
