#include "agent/domain/frame.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

#include "agent/domain/errors.h"
#include "agent/domain/limits.h"

namespace slipway::agent {
namespace {

constexpr size_t kHeaderBytes = 4;

size_t PayloadSize(absl::string_view header) {
  size_t size = 0;
  for (size_t i = 0; i < kHeaderBytes; ++i) size = size << 8 | static_cast<uint8_t>(header[i]);
  return size;
}

}  // namespace

std::string EncodeFrame(absl::string_view payload) {
  std::string frame;
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(payload.size() >> shift & 0xff));
  }
  absl::StrAppend(&frame, payload);
  return frame;
}

absl::Status FrameReader::Feed(absl::string_view bytes,
                               absl::FunctionRef<absl::Status(absl::string_view)> on_frame) {
  while (failed_.ok() && !bytes.empty()) {
    size_t wanted = kHeaderBytes;
    if (buffer_.size() >= kHeaderBytes) wanted += PayloadSize(buffer_);
    const absl::string_view taken = bytes.substr(0, wanted - buffer_.size());
    absl::StrAppend(&buffer_, taken);
    bytes.remove_prefix(taken.size());
    if (buffer_.size() < kHeaderBytes) break;
    const size_t size = PayloadSize(buffer_);
    if (size == 0 || size > kFrameBytesMax) {
      failed_ = RunnerProtocol(absl::StrCat("a frame of ", size, " bytes"));
    } else if (buffer_.size() == kHeaderBytes + size) {
      failed_ = ++frames_ > kFramesMax ? RunnerProtocol("too many frames")
                                       : on_frame(absl::string_view(buffer_).substr(kHeaderBytes));
      buffer_.clear();
    }
  }
  return failed_;
}

}  // namespace slipway::agent
