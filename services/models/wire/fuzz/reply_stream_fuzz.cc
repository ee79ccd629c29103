#include <cstddef>
#include <cstdint>

#include "services/models/wire/fuzz/wire_properties.h"

// The first byte chooses the dialect.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using slipway::models::Dialect;
  if (size == 0) return 0;
  constexpr Dialect kDialects[] = {Dialect::kChat, Dialect::kResponses, Dialect::kMessages};
  const absl::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  slipway::models::CheckAnyReply(kDialects[data[0] % 3], stream);
  return 0;
}
