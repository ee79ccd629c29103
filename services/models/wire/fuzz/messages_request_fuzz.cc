#include <cstddef>
#include <cstdint>

#include "services/models/wire/fuzz/wire_properties.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view body(reinterpret_cast<const char*>(data), size);
  slipway::models::CheckAnyRequest(slipway::models::Dialect::kMessages, body);
  return 0;
}
