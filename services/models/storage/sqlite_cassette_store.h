#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/sqlite/database.h"
#include "services/models/domain/cassette_store.h"

namespace slipway::models {

// A part of the migrations of SqliteStore. Entries are a table of their own, so that lists of
// cassettes read none of them.
inline constexpr sqlite::Sql kCassetteSchema =
    "CREATE TABLE recording("
    " scope TEXT PRIMARY KEY NOT NULL, start_us INTEGER NOT NULL, principal TEXT NOT NULL) STRICT;"
    "CREATE TABLE cassette("
    " plan TEXT PRIMARY KEY NOT NULL, entries INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " dropped INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE cassette_entry("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"  // Never reused: page tokens name it.
    " plan TEXT NOT NULL, call TEXT NOT NULL UNIQUE, line TEXT NOT NULL) STRICT;"
    "CREATE INDEX cassette_entry_by_plan ON cassette_entry(plan, sequence);";

// Cassettes in the database of the service. Thread-safe; the database must outlive it.
class SqliteCassetteStore final : public CassetteStore {
 public:
  explicit SqliteCassetteStore(sqlite::Database& database) : database_(database) {}

  absl::StatusOr<bool> Append(const NewEntry& entry, const Bounds& bounds) override;
  absl::StatusOr<std::vector<Recording>> Recordings() override;
  absl::Status PutRecording(const Recording& recording) override;
  absl::StatusOr<bool> RemoveRecording(const std::string& scope) override;
  absl::StatusOr<std::vector<CassetteSummary>> List(int limit) override;
  absl::StatusOr<std::optional<CassetteSummary>> Find(const std::string& plan) override;
  absl::StatusOr<std::vector<StoredEntry>> Read(const std::string& plan, int64_t after,
                                                int limit) override;
  absl::StatusOr<bool> Remove(const std::string& plan) override;
  absl::Status PruneCassettes(absl::Time last_before) override;

 private:
  sqlite::Database& database_;
};

}  // namespace slipway::models
