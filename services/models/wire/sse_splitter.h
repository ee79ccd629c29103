#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace slipway::models {

// Cuts a text/event-stream into its frames, each with the empty line that ends it, without changing
// a byte. Not thread-safe.
class SseSplitter final {
 public:
  explicit SseSplitter(size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  // Calls `on_frame` for each frame that `bytes` completes. False when a frame is too large; then
  // nothing more is taken.
  bool Feed(absl::string_view bytes, absl::FunctionRef<void(absl::string_view frame)> on_frame);

  // What came after the last whole frame.
  const std::string& rest() const { return frame_; }

 private:
  const size_t frame_bytes_max_;
  std::string frame_;
  bool line_empty_ = true;
  bool after_return_ = false;  // '\n' directly after '\r' ends no second line.
  bool failed_ = false;
};

}  // namespace slipway::models
