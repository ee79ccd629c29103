#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "lib/log/log.h"

namespace slipway::log {

// Builds one JSON object of at most `size_max` bytes. Values are cut to kValueBytesMax; a field
// that does not fit is left out; either is shown by a final "truncated":true.
class LineWriter final {
 public:
  static constexpr size_t kValueBytesMax = 1'024;

  explicit LineWriter(size_t size_max);

  void Add(absl::string_view key, const Value& value);

  // The object, without a newline.
  std::string Finish() &&;

 private:
  void AppendValue(const Value& value);
  void AppendString(absl::string_view text);

  const size_t size_max_;
  std::string line_ = "{";
  bool truncated_ = false;
};

}  // namespace slipway::log
