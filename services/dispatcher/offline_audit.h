#pragma once

#include <ostream>
#include <string>

#include "absl/status/statusor.h"

namespace slipway::dispatcher {

// Audits the dispatcher's database in a file and prints slipway.dispatcher.v1.AuditResponse as
// JSON. True when every invariant holds. Fails as AuditFile does.
absl::StatusOr<bool> PrintAudit(const std::string& path, std::ostream& out);

}  // namespace slipway::dispatcher
