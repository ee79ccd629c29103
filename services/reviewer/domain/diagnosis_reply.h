#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/reviewer/domain/diagnosis.h"

namespace slipway::reviewer {

// Reads a reply to a diagnosis prompt; see ParseReplyObject. INVALID_ARGUMENT with what is wrong,
// in words for the model.
absl::StatusOr<Diagnosis> ParseDiagnosisReply(absl::string_view reply);

}  // namespace slipway::reviewer
