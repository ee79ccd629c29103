#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/ledger/domain/ledger_store.h"

namespace slipway::ledger {

// Audits the ledger in a file, of a service that runs or does not, or a copy of one. Changes
// nothing; a service that runs goes on writing meanwhile, and of its ledger what is in the tables
// is audited. Otherwise decisions that only the log beside the file has count, too: they are
// brought into a temporary copy. Checks the files themselves first. Fails with a reason of
// lib/sqlite when it is no ledger of this version, or cannot be read.
absl::StatusOr<AuditResult> AuditFile(const std::string& path);

}  // namespace slipway::ledger
