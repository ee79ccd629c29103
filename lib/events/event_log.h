#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/base/id_generator.h"
#include "lib/events/event.h"
#include "lib/events/subscription.h"
#include "lib/sqlite/database.h"
#include "lib/sqlite/sql.h"
#include "lib/sqlite/transaction.h"

namespace slipway::events {

// The tables of the log; a service makes them in a migration of its own:
//   constexpr sqlite::Migration kMigrations[] = {{1, events::kEventLogSchema}, {2, "CREATE .."}};
inline constexpr sqlite::Sql kEventLogSchema =
    "CREATE TABLE event("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"  // Never reused: tokens name it.
    " time_us INTEGER NOT NULL, kind TEXT NOT NULL,"
    " project TEXT NOT NULL, plan TEXT NOT NULL, task TEXT NOT NULL, attempt TEXT NOT NULL,"
    " payload TEXT NOT NULL) STRICT;"
    "CREATE TABLE log_meta("
    " one INTEGER PRIMARY KEY NOT NULL CHECK(one=1), db_uuid TEXT NOT NULL,"
    " compacted_sequence INTEGER NOT NULL) STRICT;";

// The cursor before the oldest event kept, whichever that is when it is read.
inline constexpr int64_t kFromOldest = -1;

// A stretch of a log.
struct Page {
  std::vector<Event> events;  // In order.
  int64_t next_cursor = 0;    // Go on after it; passes events that the filter left out.
  bool at_end = false;        // There was nothing after next_cursor when it was read.
};

// The events of one service, written in the transactions that change its state: a reader of the
// log sees every change, in the order of their commits, without gaps.
//
// Thread-safe. The database must outlive the log.
class EventLog final {
 public:
  // `name` is the service: "dispatcher". Gives a new database its identity, made by `ids`.
  static absl::StatusOr<std::unique_ptr<EventLog>> Open(sqlite::Database& database,
                                                        base::IdGenerator& ids, std::string name);

  const std::string& name() const { return name_; }
  // Of the database: marks what belongs to the service wherever it is.
  const std::string& uuid() const { return uuid_; }

  // Appends in the caller's transaction and returns the sequence. Call NotifyAppended after the
  // commit. Fails with EVENT_INVALID or EVENT_TOO_LARGE.
  absl::StatusOr<int64_t> Append(sqlite::Transaction& transaction, absl::Time time,
                                 const EventDraft& draft);

  // The same for several, in their order: faster than one by one.
  absl::Status AppendAll(sqlite::Transaction& transaction, absl::Time time,
                         absl::Span<const EventDraft* const> drafts);

  // Up to `limit` events after `cursor` that `filter` keeps. Looks at no more than kScanMax events
  // and returns about kBatchBytesMax bytes, so a page may be empty before the end. 0 is before the
  // first event ever, kFromOldest before the first that is kept. Fails with RESUME_TOKEN_EXPIRED or
  // RESUME_TOKEN_FOREIGN. Blocks on disk.
  absl::StatusOr<Page> ReadAfter(int64_t cursor, const EventFilter& filter, int limit);

  // The cursor before the oldest event kept.
  absl::StatusOr<int64_t> Oldest();

  // The cursor after the newest event.
  absl::StatusOr<int64_t> Latest();

  // Deletes the events with sequences below `below`; returns how many.
  absl::StatusOr<int64_t> Compact(int64_t below);

  // Deletes the events before the first one that is as young as `time`; returns how many. Those
  // that a wall clock set back made older stay until all before them are.
  absl::StatusOr<int64_t> CompactOlder(absl::Time time);

  // Tokens name this database and a cursor. Decode fails with RESUME_TOKEN_INVALID or, for another
  // database, RESUME_TOKEN_FOREIGN; ReadAfter checks the rest.
  std::string EncodeToken(int64_t cursor) const;
  absl::StatusOr<int64_t> DecodeToken(absl::string_view token) const;

  // Calls `wake` after each NotifyAppended until the subscription goes; see Subscriptions::Wake.
  [[nodiscard]] Subscription OnAppend(Subscriptions::Wake wake) {
    return subscriptions_.Add(std::move(wake));
  }

  // Wakes the subscribers. Call after a commit and under no lock:
  //   GroupWriter writer(database, {.on_committed = [&log] { log.NotifyAppended(); }});
  void NotifyAppended() { subscriptions_.WakeAll(); }

  size_t subscribers() const { return subscriptions_.size(); }

 private:
  EventLog(sqlite::Database& database, std::string name, std::string uuid)
      : database_(database), name_(std::move(name)), uuid_(std::move(uuid)) {}

  sqlite::Database& database_;
  const std::string name_;
  const std::string uuid_;
  Subscriptions subscriptions_;
};

}  // namespace slipway::events
