#include "services/models/wire/sse_splitter.h"

namespace slipway::models {

bool SseSplitter::Feed(absl::string_view bytes,
                       absl::FunctionRef<void(absl::string_view frame)> on_frame) {
  for (const char c : bytes) {
    if (failed_) return false;
    frame_.push_back(c);
    failed_ = frame_.size() > frame_bytes_max_;
    const bool second_half = c == '\n' && after_return_;
    after_return_ = c == '\r';
    if (c != '\n' && c != '\r') {
      line_empty_ = false;
      continue;
    }
    if (second_half) continue;
    // Empty lines before a frame belong to it.
    if (line_empty_ && frame_.find_first_not_of("\r\n") != std::string::npos) {
      on_frame(frame_);
      frame_.clear();
    }
    line_empty_ = true;
  }
  return !failed_;
}

}  // namespace slipway::models
