#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::base {

// Writes one JSON object, member by member, without a tree of it in memory: for what is written
// often and by a fixed shape. Members keep their order; names must be distinct and need no escape.
// Bytes of values that are not UTF-8 become U+FFFD.
//   JsonObject().Add("from", "READY").Add("epoch", 3).Take() -> {"from":"READY","epoch":3}
class JsonObject final {
 public:
  JsonObject() { text_.reserve(kUsualBytes); }

  JsonObject& Add(absl::string_view name, absl::string_view value);
  JsonObject& Add(absl::string_view name, const std::string& value) {
    return Add(name, absl::string_view(value));
  }
  JsonObject& Add(absl::string_view name, const char* value) {
    return Add(name, absl::string_view(value));
  }
  JsonObject& Add(absl::string_view name, int64_t value);
  JsonObject& Add(absl::string_view name, int value) {
    return Add(name, static_cast<int64_t>(value));
  }
  JsonObject& Add(absl::string_view name, bool value) {
    return AddJson(name, value ? "true" : "false");
  }
  JsonObject& Add(absl::string_view name, const std::vector<std::string>& values);
  JsonObject& Add(absl::string_view name, const std::map<std::string, int>& values);
  // `json` is a value in JSON.
  JsonObject& AddJson(absl::string_view name, absl::string_view json);

  // The object; once.
  std::string Take();

 private:
  // One allocation for most of what is written.
  static constexpr size_t kUsualBytes = 240;

  void Begin(absl::string_view name);

  std::string text_ = "{";
};

// A JSON array of strings, on the same terms.
std::string JsonArray(const std::vector<std::string>& values);

// Appends `value` as a JSON string, on the same terms.
void AppendJsonString(std::string& text, absl::string_view value);

}  // namespace slipway::base
