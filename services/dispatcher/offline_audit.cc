#include "services/dispatcher/offline_audit.h"

#include <algorithm>

#include "lib/base/status_macros.h"
#include "lib/serving/print_audit.h"
#include "services/dispatcher/rpc/convert.h"
#include "services/dispatcher/storage/audit_file.h"

namespace slipway::dispatcher {

absl::StatusOr<bool> PrintAudit(const std::string& path, std::ostream& out) {
  ASSIGN_OR_RETURN(const AuditResult result, AuditFile(path));
  RETURN_IF_ERROR(serving::PrintAudit(AuditToProto(result), out));
  return std::all_of(result.checks.begin(), result.checks.end(),
                     [](const AuditCheck& check) { return check.breaches.empty(); });
}

}  // namespace slipway::dispatcher
