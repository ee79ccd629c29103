#include "services/ledger/offline_audit.h"

#include <algorithm>

#include "lib/base/status_macros.h"
#include "lib/serving/print_audit.h"
#include "services/ledger/rpc/convert.h"
#include "services/ledger/storage/audit_file.h"

namespace slipway::ledger {

absl::StatusOr<bool> PrintAudit(const std::string& path, std::ostream& out) {
  ASSIGN_OR_RETURN(const AuditResult result, AuditFile(path));
  RETURN_IF_ERROR(serving::PrintAudit(ToProto(result), out));
  return std::all_of(result.checks.begin(), result.checks.end(),
                     [](const AuditCheck& check) { return check.breaches.empty(); });
}

}  // namespace slipway::ledger
