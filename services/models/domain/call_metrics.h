#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/models/domain/call.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// Counts and logs a try that was sent and has ended, with its record as it is kept.
// `first_text_after` is absent where no text came.
void CountTry(const CallRecord& record, const ProviderResult& result, absl::Duration latency,
              std::optional<absl::Duration> first_text_after);

// Counts one that was refused before anything was sent.
void CountRefusal(const std::string& role, const absl::Status& error);

}  // namespace slipway::models
