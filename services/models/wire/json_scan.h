#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::models {

enum class JsonKind { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull };

// How one value is reached from the one around it.
struct JsonStep {
  std::string key;       // In an object, with escapes resolved; in an array empty.
  size_t index = 0;      // Position in the object or array.
  size_t key_begin = 0;  // In an object, where the key's quote stands.
};

// What a scan tells of each value, a container after all that it holds. `path` leads from the
// outermost value, for which it is empty.
struct JsonValue {
  const std::vector<JsonStep>& path;
  JsonKind kind;
  size_t begin;
  size_t end;
};

class JsonVisitor {
 public:
  virtual ~JsonVisitor() = default;
  virtual void OnValue(const JsonValue& value) = 0;
};

// Bounds of what is scanned.
struct JsonLimits {
  int depth = 128;             // Containers within each other.
  size_t key_bytes = 1'024;    // Of one key.
  size_t keys_held = 100'000;  // Of objects within each other: they are remembered.
  size_t values = 4u << 20;    // In all.
};

// Reads one JSON text as RFC 8259 has it and tells `visitor` where each value stands, without
// building anything: memory is bounded by the depth. An object that has a key twice is refused,
// because readers disagree about which one counts. Fails with PROMPT_INVALID and the position.
absl::Status ScanJson(absl::string_view text, const JsonLimits& limits, JsonVisitor& visitor);

// The text of the string literal `quoted`, which a scan has accepted.
std::string JsonText(absl::string_view quoted);

}  // namespace slipway::models
