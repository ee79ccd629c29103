#include "services/models/storage/sqlite_cassette_store.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "services/models/storage/stored_form.h"

namespace slipway::models {
namespace {

constexpr sqlite::Sql kOpenCassette =
    "INSERT OR IGNORE INTO cassette(plan,entries,bytes,dropped,first_us,last_us)"
    " VALUES(?1,0,0,0,?2,?2)";
constexpr sqlite::Sql kForgetEntry =
    "DELETE FROM cassette_entry WHERE call=? RETURNING plan,length(CAST(line AS BLOB))";
constexpr sqlite::Sql kUncountEntry =
    "UPDATE cassette SET entries=entries-1,bytes=bytes-? WHERE plan=?";
constexpr sqlite::Sql kRoom =
    "SELECT (SELECT entries FROM cassette WHERE plan=?1),"
    " (SELECT bytes FROM cassette WHERE plan=?1), (SELECT SUM(bytes) FROM cassette)";
constexpr sqlite::Sql kInsertEntry = "INSERT INTO cassette_entry(plan,call,line) VALUES(?,?,?)";
constexpr sqlite::Sql kCountEntry =
    "UPDATE cassette SET entries=entries+1,bytes=bytes+?1,first_us=MIN(first_us,?2),"
    "last_us=MAX(last_us,?2) WHERE plan=?3";
constexpr sqlite::Sql kCountDropped =
    "UPDATE cassette SET dropped=dropped+1,last_us=MAX(last_us,?1) WHERE plan=?2";
constexpr sqlite::Sql kSelectRecordings =
    "SELECT scope,start_us,principal FROM recording ORDER BY scope";
constexpr sqlite::Sql kPutRecording =
    "INSERT OR IGNORE INTO recording(scope,start_us,principal) VALUES(?,?,?)";
constexpr sqlite::Sql kDeleteRecording = "DELETE FROM recording WHERE scope=? RETURNING scope";
constexpr sqlite::Sql kListCassettes =
    "SELECT plan,entries,bytes,dropped,first_us,last_us FROM cassette"
    " ORDER BY last_us DESC,plan LIMIT ?";
constexpr sqlite::Sql kFindCassette =
    "SELECT plan,entries,bytes,dropped,first_us,last_us FROM cassette WHERE plan=?";
constexpr sqlite::Sql kReadEntries =
    "SELECT e.sequence,e.line,c.tokens,c.charge_usd_nanos FROM cassette_entry e"
    " LEFT JOIN call c ON c.id=e.call AND c.end_us IS NOT NULL"
    " WHERE e.plan=? AND e.sequence>? ORDER BY e.sequence LIMIT ?";
constexpr sqlite::Sql kDeleteEntries = "DELETE FROM cassette_entry WHERE plan=?";
constexpr sqlite::Sql kDeleteCassette = "DELETE FROM cassette WHERE plan=? RETURNING plan";
constexpr sqlite::Sql kPruneEntries =
    "DELETE FROM cassette_entry WHERE plan IN (SELECT plan FROM cassette WHERE last_us<?)";
constexpr sqlite::Sql kPruneCassettes = "DELETE FROM cassette WHERE last_us<?";

struct Room {
  int64_t entries = 0;
  int64_t bytes = 0;
  int64_t total_bytes = 0;
};

struct Forgotten {
  std::string plan;
  int64_t bytes = 0;
};

std::string ReadName(const sqlite::Row& row) { return row.Text(0); }

CassetteSummary ReadSummary(const sqlite::Row& row) {
  return {.plan = row.Text(0),
          .entries = row.Int64(1),
          .bytes = row.Int64(2),
          .dropped = row.Int64(3),
          .first_time = row.Time(4),
          .last_time = row.Time(5)};
}

StoredEntry ReadEntry(const sqlite::Row& row) {
  StoredEntry entry = {.sequence = row.Int64(0), .line = row.Text(1)};
  const std::optional<std::string> tokens = row.OptionalText(2);
  if (tokens.has_value()) entry.billed = TokensFromJson(*tokens);
  if (entry.billed == TokenCounts()) entry.billed.reset();
  entry.cost_usd_nanos = row.OptionalInt64(3);
  return entry;
}

}  // namespace

absl::StatusOr<bool> SqliteCassetteStore::Append(const NewEntry& entry, const Bounds& bounds) {
  return database_.Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(transaction.Execute(kOpenCassette, entry.plan, entry.start_time));
    const auto read_forgotten = [](const sqlite::Row& row) {
      return Forgotten{.plan = row.Text(0), .bytes = row.Int64(1)};
    };
    // Nothing was charged for the earlier one, else the call could not have been made again.
    ASSIGN_OR_RETURN(const std::optional<Forgotten> earlier,
                     transaction.FindOne(kForgetEntry, read_forgotten, entry.call));
    if (earlier.has_value()) {
      RETURN_IF_ERROR(transaction.Execute(kUncountEntry, earlier->bytes, earlier->plan));
    }
    const auto read_room = [](const sqlite::Row& row) {
      return Room{.entries = row.Int64(0), .bytes = row.Int64(1), .total_bytes = row.Int64(2)};
    };
    ASSIGN_OR_RETURN(const Room room, transaction.QueryOne(kRoom, read_room, entry.plan));
    const auto size = static_cast<int64_t>(entry.line.size());
    const bool fits = size > 0 && room.entries < bounds.entries &&
                      room.bytes + size <= bounds.bytes &&
                      room.total_bytes + size <= bounds.total_bytes;
    if (!fits) {
      RETURN_IF_ERROR(transaction.Execute(kCountDropped, entry.start_time, entry.plan));
      return false;
    }
    RETURN_IF_ERROR(transaction.Execute(kInsertEntry, entry.plan, entry.call, entry.line));
    RETURN_IF_ERROR(transaction.Execute(kCountEntry, size, entry.start_time, entry.plan));
    return true;
  });
}

absl::StatusOr<std::vector<Recording>> SqliteCassetteStore::Recordings() {
  const auto read = [](const sqlite::Row& row) {
    return Recording{.scope = row.Text(0), .start_time = row.Time(1), .principal = row.Text(2)};
  };
  return database_.Read(
      [&](sqlite::Reader& reader) { return reader.Query(kSelectRecordings, read); });
}

absl::Status SqliteCassetteStore::PutRecording(const Recording& recording) {
  return database_.Write([&](sqlite::Transaction& transaction) {
    return transaction.Execute(kPutRecording, recording.scope, recording.start_time,
                               recording.principal);
  });
}

absl::StatusOr<bool> SqliteCassetteStore::RemoveRecording(const std::string& scope) {
  return database_.Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const std::optional<std::string> removed,
                     transaction.FindOne(kDeleteRecording, ReadName, scope));
    return removed.has_value();
  });
}

absl::StatusOr<std::vector<CassetteSummary>> SqliteCassetteStore::List(int limit) {
  return database_.Read(
      [&](sqlite::Reader& reader) { return reader.Query(kListCassettes, ReadSummary, limit); });
}

absl::StatusOr<std::optional<CassetteSummary>> SqliteCassetteStore::Find(const std::string& plan) {
  return database_.Read(
      [&](sqlite::Reader& reader) { return reader.FindOne(kFindCassette, ReadSummary, plan); });
}

absl::StatusOr<std::vector<StoredEntry>> SqliteCassetteStore::Read(const std::string& plan,
                                                                   int64_t after, int limit) {
  return database_.Read([&](sqlite::Reader& reader) {
    return reader.Query(kReadEntries, ReadEntry, plan, after, limit);
  });
}

absl::StatusOr<bool> SqliteCassetteStore::Remove(const std::string& plan) {
  return database_.Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(transaction.Execute(kDeleteEntries, plan));
    ASSIGN_OR_RETURN(const std::optional<std::string> removed,
                     transaction.FindOne(kDeleteCassette, ReadName, plan));
    return removed.has_value();
  });
}

absl::Status SqliteCassetteStore::PruneCassettes(absl::Time last_before) {
  return database_.Write([&](sqlite::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(transaction.Execute(kPruneEntries, last_before));
    return transaction.Execute(kPruneCassettes, last_before);
  });
}

}  // namespace slipway::models
