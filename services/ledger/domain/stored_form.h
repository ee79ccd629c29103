#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/reservation.h"

// Values that are stored as they were at one moment, as JSON. Decoding fails with INTERNAL
// (STORED_FORM_INVALID): only this file writes them.
namespace slipway::ledger {

std::string EncodeBalance(const Balance& balance);
absl::StatusOr<Balance> DecodeBalance(absl::string_view text);

std::string EncodeDenial(const Denial& denial);
absl::StatusOr<Denial> DecodeDenial(absl::string_view text);

}  // namespace slipway::ledger
