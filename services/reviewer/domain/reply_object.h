#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::reviewer {

// What is wrong with a reply, in words for the model.
absl::Status Unreadable(absl::string_view problem);

// The one JSON object that a model was asked for, bare or in one fence, with no member but
// `members`, none twice, and nothing else in the reply. INVALID_ARGUMENT as Unreadable.
absl::StatusOr<nlohmann::json> ParseReplyObject(absl::string_view reply,
                                                const std::set<std::string>& members);

// The text `member`, which must be there, cut to `bytes_max`.
absl::StatusOr<std::string> TextOf(const nlohmann::json& object, const std::string& member,
                                   size_t bytes_max);

}  // namespace slipway::reviewer
