#pragma once

#include <optional>

#include "nlohmann/json.hpp"
#include "services/models/domain/call.h"
#include "services/models/domain/dialect.h"

namespace slipway::models {

// The tokens of one usage object, by how they are priced. Absent for what is no usage or cannot be
// true: a count that is negative, no whole number or absurd, or parts larger than their whole. Then
// the whole hold is charged.
//
// In OpenAI's dialects cached and written tokens are parts of the input; in Anthropic's they stand
// beside it. Reasoning is always part of the output.
std::optional<TokenCounts> ReadUsage(Dialect dialect, const nlohmann::json& usage);

// The tier of a usage or reply object as prices name it: "default" for "standard"; "fast" where
// that speed served. Empty when it says nothing.
std::string ReadTier(const nlohmann::json& object);

// Merges a later usage object of a stream of messages into what came before: counts are cumulative,
// so what it names replaces and is never added.
void MergeUsage(nlohmann::json& usage, const nlohmann::json& later);

// All tokens of `counts` that cost something.
int64_t AllTokens(const TokenCounts& counts);

}  // namespace slipway::models
