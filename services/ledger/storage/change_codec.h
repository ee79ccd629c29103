#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/ledger/domain/changes.h"

namespace slipway::ledger {

// Appends the binary form of `changes`, in which the log of decisions keeps them: numbers of
// variable length, times in microseconds, texts with their length.
void AppendChanges(const Changes& changes, std::string& out);

// Takes the first changes off `in`. Fails with INTERNAL (STORED_FORM_INVALID): only AppendChanges
// writes what is read here.
absl::StatusOr<Changes> TakeChanges(absl::string_view& in);

}  // namespace slipway::ledger
