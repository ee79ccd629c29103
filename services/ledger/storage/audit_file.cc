#include "services/ledger/storage/audit_file.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/database.h"
#include "services/ledger/storage/auditor.h"
#include "services/ledger/storage/log_replay.h"
#include "services/ledger/storage/rows.h"
#include "services/ledger/storage/schema.h"

namespace slipway::ledger {
namespace {

constexpr sqlite::Sql kSelectLastTime = "SELECT COALESCE(MAX(time_us),0) FROM journal";
constexpr sqlite::Sql kSelectDatabaseId = "SELECT db_uuid FROM log_meta";

// A directory that goes with what is in it.
class ScratchDirectory final {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchDirectory>> Make() {
    std::error_code none;
    std::string path = (std::filesystem::temp_directory_path(none) / "slipway-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) {
      return base::ErrnoStatus(errno, absl::StrCat("cannot make ", path));
    }
    return std::unique_ptr<ScratchDirectory>(new ScratchDirectory(std::move(path)));
  }
  ~ScratchDirectory() { base::RemoveTree(path_).IgnoreError(); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string File(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}

  const std::string path_;
};

// Whether a service has the ledger open: its log changes, and it brings it into the tables itself.
bool IsServed(const std::string& path) {
  const std::string lock = absl::StrCat(path, ".lock");
  std::error_code none;
  if (!std::filesystem::exists(lock, none)) return false;
  return base::ReasonOf(base::LockFile(lock).status()) == "LOCKED";
}

absl::StatusOr<AuditResult> AuditTables(sqlite::Database& database) {
  AuditResult result;
  RETURN_IF_ERROR(database.Read([&result](sqlite::Reader& reader) -> absl::Status {
    ASSIGN_OR_RETURN(result.checks, Auditor(reader, /*now=*/std::nullopt).Run());
    ASSIGN_OR_RETURN(result.time, reader.QueryOne(kSelectLastTime, [](const sqlite::Row& row) {
      return row.Time(0);
    }));
    return absl::OkStatus();
  }));
  return result;
}

// The tables of the file at `path` and what only `log` has.
absl::StatusOr<AuditResult> AuditCopy(const std::string& path, const DecisionLog& log) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ScratchDirectory> scratch, ScratchDirectory::Make());
  const std::string copy = scratch->File("ledger.db");
  for (const char* suffix : {"", "-wal"}) {
    std::error_code none;
    if (!std::filesystem::exists(path + suffix, none)) continue;
    RETURN_IF_ERROR(base::CopyFile(path + suffix, copy + suffix));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Database> database,
                   sqlite::Database::Open(copy, {.migrations = kMigrations}));
  ASSIGN_OR_RETURN(const std::unique_ptr<events::EventLog> events,
                   events::EventLog::Open(*database, base::RandomIds(), "ledger"));
  ChangeWriter writer(*events);
  RETURN_IF_ERROR(database
                      ->Write([&](sqlite::Transaction& transaction) {
                        return ReplayLog(transaction, log, writer);
                      })
                      .status());
  return AuditTables(*database);
}

}  // namespace

absl::StatusOr<AuditResult> AuditFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Database> database,
                   sqlite::Database::Open(path, {.migrations = kMigrations, .read_only = true}));
  AuditCheck file = {.invariant = "I0 the file is not damaged", .checked = 1};
  const absl::Status integrity = database->CheckIntegrity();
  if (!integrity.ok()) file.breaches.push_back(std::string(integrity.message()));
  absl::StatusOr<AuditResult> result = absl::UnknownError("not audited");
  if (IsServed(path)) {
    result = AuditTables(*database);
  } else {
    ASSIGN_OR_RETURN(const std::optional<std::string> id,
                     database->Read([](sqlite::Reader& reader) {
                       return reader.FindOne(kSelectDatabaseId,
                                             [](const sqlite::Row& row) { return row.Text(0); });
                     }));
    const DecisionLog log({.database = path}, id.value_or(""));
    const absl::StatusOr<LogReplay> replay =
        database->Read([&log](sqlite::Reader& reader) { return CompareLog(reader, log); });
    if (!replay.ok() && replay.status().code() != absl::StatusCode::kDataLoss) {
      return replay.status();
    }
    if (replay.ok()) {
      file.checked += replay->found.decisions;
    } else {
      file.breaches.push_back(std::string(replay.status().message()));
    }
    result =
        replay.ok() && replay->found.decisions > 0 ? AuditCopy(path, log) : AuditTables(*database);
  }
  RETURN_IF_ERROR(result.status());
  result->checks.insert(result->checks.begin(), std::move(file));
  return result;
}

}  // namespace slipway::ledger
