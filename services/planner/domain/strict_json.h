#pragma once

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::planner {

// Parses exactly one JSON value that was written by a model: bounded by limits.h in bytes, depth
// and number of values, without duplicate keys, with nothing but white space after it. Fails with
// REPLY_EMPTY, REPLY_TOO_LARGE, REPLY_TOO_DEEP, REPLY_DUPLICATE_KEY, REPLY_TRUNCATED or
// REPLY_NOT_JSON; places in the reply are named like "$.tasks[3].id".
absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text);

}  // namespace slipway::planner
