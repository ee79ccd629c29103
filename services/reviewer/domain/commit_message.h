#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::reviewer {

// What a commit says. Subject and body come from a plan, which a model wrote: they are cleaned, and
// what could pass for a trailer of ours is indented. Trailers are ours alone.
struct CommitText {
  std::string subject;
  std::string body;
  std::vector<std::pair<std::string, std::string>> trailers;
};

// The message: one line without control characters, at most kSubjectBytesMax; the body, at most
// kBodyBytesMax; the trailers, one line each. Ends in a newline.
std::string ComposeMessage(const CommitText& text);

// The value of the last trailer `key` in the last paragraph of a message; empty when there is none.
std::string TrailerOf(absl::string_view message, absl::string_view key);

inline constexpr char kPlanTrailer[] = "Slipway-Plan";
inline constexpr char kTaskTrailer[] = "Slipway-Task";
inline constexpr char kAttemptTrailer[] = "Slipway-Attempt";
inline constexpr char kEpochTrailer[] = "Slipway-Epoch";
inline constexpr char kPatchTrailer[] = "Slipway-Patch";            // SHA-256 of the patch.
inline constexpr char kValidatorsTrailer[] = "Slipway-Validators";  // Their digest.
inline constexpr char kApproverTrailer[] = "Slipway-Approver";
inline constexpr char kRollbackTrailer[] = "Slipway-Rollback";  // The commit whose state it has.

}  // namespace slipway::reviewer
