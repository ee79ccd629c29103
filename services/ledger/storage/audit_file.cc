#include "services/ledger/storage/audit_file.h"

#include <memory>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/sqlite/database.h"
#include "services/ledger/storage/auditor.h"
#include "services/ledger/storage/rows.h"
#include "services/ledger/storage/schema.h"

namespace slipway::ledger {
namespace {

constexpr sqlite::Sql kSelectLastTime = "SELECT COALESCE(MAX(time_us),0) FROM journal";

}  // namespace

absl::StatusOr<AuditResult> AuditFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Database> database,
                   sqlite::Database::Open(path, {.migrations = kMigrations, .read_only = true}));
  AuditCheck file = {.invariant = "I0 the file is not damaged", .checked = 1};
  const absl::Status integrity = database->CheckIntegrity();
  if (!integrity.ok()) file.breaches.push_back(std::string(integrity.message()));
  AuditResult result;
  RETURN_IF_ERROR(database->Read([&result](sqlite::Reader& reader) -> absl::Status {
    ASSIGN_OR_RETURN(result.checks, Auditor(reader, /*now=*/std::nullopt).Run());
    ASSIGN_OR_RETURN(result.time, reader.QueryOne(kSelectLastTime, [](const sqlite::Row& row) {
      return row.Time(0);
    }));
    return absl::OkStatus();
  }));
  result.checks.insert(result.checks.begin(), std::move(file));
  return result;
}

}  // namespace slipway::ledger
