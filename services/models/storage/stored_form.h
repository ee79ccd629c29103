#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/models/domain/settlement.h"

namespace slipway::models {

// Values that are stored as JSON because no query looks inside them. Reading is lenient: fields
// that a newer program added are ignored, those that an older one did not write are empty.
std::string TokensToJson(const TokenCounts& tokens);
TokenCounts TokensFromJson(absl::string_view text);

std::string ErrorToJson(const absl::Status& error);  // "" for OK.
absl::Status ErrorFromJson(absl::string_view text);

std::string LinesToJson(const std::vector<std::string>& lines);
std::vector<std::string> LinesFromJson(absl::string_view text);

std::string SettlementToJson(const Settlement& settlement);  // Without reservation and time.
Settlement SettlementFromJson(absl::string_view text);

}  // namespace slipway::models
