#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::agent {

// `payload` with its length in front: four bytes, big-endian. At most kFrameBytesMax.
std::string EncodeFrame(absl::string_view payload);

// Takes frames out of a byte stream that is cut anywhere and may be hostile: memory stays below one
// frame. Fails with RunnerProtocol, then and for every later call. Not thread-safe.
class FrameReader final {
 public:
  // Stops at the first error of `on_frame` and returns it.
  absl::Status Feed(absl::string_view bytes,
                    absl::FunctionRef<absl::Status(absl::string_view)> on_frame);

  // Whether the stream ended between frames.
  bool AtBoundary() const { return buffer_.empty(); }

 private:
  std::string buffer_;
  size_t frames_ = 0;
  absl::Status failed_;
};

}  // namespace slipway::agent
