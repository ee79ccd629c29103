#include "services/dispatcher/storage/audit_file.h"

#include <memory>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/sqlite/database.h"
#include "services/dispatcher/storage/auditor.h"
#include "services/dispatcher/storage/schema.h"

namespace slipway::dispatcher {

absl::StatusOr<AuditResult> AuditFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Database> database,
                   sqlite::Database::Open(path, {.migrations = Migrations(), .read_only = true}));
  AuditCheck file = {.invariant = "I0 the file is not damaged", .checked = 1};
  const absl::Status integrity = database->CheckIntegrity();
  if (!integrity.ok()) file.breaches.push_back(std::string(integrity.message()));
  ASSIGN_OR_RETURN(AuditResult result,
                   database->Read([](sqlite::Reader& reader) { return Auditor(reader).Run(); }));
  result.checks.insert(result.checks.begin(), std::move(file));
  return result;
}

}  // namespace slipway::dispatcher
