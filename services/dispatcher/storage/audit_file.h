#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/dispatcher/domain/audit_report.h"

namespace slipway::dispatcher {

// Audits the dispatcher's database in a file, of a service that runs or does not, or a copy of one.
// Changes nothing; a service that runs goes on writing meanwhile. Checks the file itself first.
// Fails with a reason of lib/sqlite when it is no database of this version, or cannot be read.
absl::StatusOr<AuditResult> AuditFile(const std::string& path);

}  // namespace slipway::dispatcher
