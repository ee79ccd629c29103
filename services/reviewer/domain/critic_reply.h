#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/reviewer/domain/change.h"

namespace slipway::reviewer {

// Reads a critic's reply: one JSON object {verdict, summary, gaps}, bare or in one fence, with
// nothing else in it. INVALID_ARGUMENT with what is wrong, in words for the critic.
absl::StatusOr<Verdict> ParseCriticReply(absl::string_view reply);

}  // namespace slipway::reviewer
