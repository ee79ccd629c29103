#pragma once

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/domain/result.h"

namespace slipway::agent {

struct ProgressNote {
  std::string phase;   // "context", "model", "edit", "check".
  std::string detail;  // One line.
};
struct LogText {
  std::string text;
};
// The next bytes of the patch that the Change at the end belongs to.
struct PatchPiece {
  std::string bytes;
};

// From the runner. A Change carries no patch of its own: that came in pieces before.
using RunnerMessage = std::variant<ProgressNote, LogText, PatchPiece, Change, Failure, Stop>;

// As JSON, at most kFrameBytesMax when texts are within their limits.
std::string EncodeMessage(const RunnerMessage& message);

// Believes nothing: texts are cut to their limits and made UTF-8, names are checked. RunnerProtocol
// for anything that EncodeMessage does not write.
absl::StatusOr<RunnerMessage> DecodeMessage(absl::string_view json);

}  // namespace slipway::agent
