#include "agent/runner/reporter.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <variant>

#include "agent/domain/frame.h"
#include "agent/domain/limits.h"
#include "lib/base/utf8.h"

namespace slipway::agent {
namespace {

constexpr size_t kLogPieceBytes = 32u << 10;

}  // namespace

void Reporter::Progress(absl::string_view phase, absl::string_view detail) {
  Send(ProgressNote{.phase = std::string(phase),
                    .detail = base::ToUtf8(detail, kProgressDetailBytesMax)});
}

void Reporter::Log(absl::string_view text) {
  const std::string clean = base::ToUtf8(text, kLogBytesMax);
  for (size_t from = 0; from < clean.size();) {
    const std::string piece =
        base::ToUtf8(absl::string_view(clean).substr(from, kLogPieceBytes), kLogPieceBytes);
    Send(LogText{.text = piece});
    from += kLogPieceBytes;
  }
}

void Reporter::Finish(const Result& result) {
  if (const auto* const change = std::get_if<Change>(&result)) {
    for (size_t from = 0; from < change->patch.size(); from += kPatchPieceBytes) {
      Send(PatchPiece{.bytes = change->patch.substr(from, kPatchPieceBytes)});
    }
    Send(Change{
        .tree = change->tree, .summary = change->summary, .repair_rounds = change->repair_rounds});
  } else if (const auto* const failure = std::get_if<Failure>(&result)) {
    Send(*failure);
  } else if (const auto* const stop = std::get_if<Stop>(&result)) {
    Send(*stop);
  }
}

void Reporter::Send(const RunnerMessage& message) {
  const std::string frame = EncodeFrame(EncodeMessage(message));
  absl::string_view rest = frame;
  while (!rest.empty()) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) std::_Exit(1);  // The supervisor is gone: nobody is left to work for.
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace slipway::agent
