#include "lib/events/event_log.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status_macros.h"
#include "lib/events/errors.h"
#include "lib/events/limits.h"

namespace slipway::events {
namespace {

#define SLIPWAY_EVENT_INSERT \
  "INSERT INTO event(time_us,kind,project,plan,task,attempt,payload) VALUES"
#define SLIPWAY_EVENT_ROW "(?1,?,?,?,?,?,?)"
#define SLIPWAY_EVENT_3_ROWS SLIPWAY_EVENT_ROW "," SLIPWAY_EVENT_ROW "," SLIPWAY_EVENT_ROW
constexpr sqlite::Sql kInsert = SLIPWAY_EVENT_INSERT SLIPWAY_EVENT_ROW;
// For each statement SQLite looks up and stores the sequence, which costs as much as a row does.
constexpr sqlite::Sql kInsert4 = SLIPWAY_EVENT_INSERT SLIPWAY_EVENT_ROW "," SLIPWAY_EVENT_3_ROWS;
constexpr sqlite::Sql kInsert16 = SLIPWAY_EVENT_INSERT SLIPWAY_EVENT_ROW
    "," SLIPWAY_EVENT_3_ROWS "," SLIPWAY_EVENT_3_ROWS "," SLIPWAY_EVENT_3_ROWS
    "," SLIPWAY_EVENT_3_ROWS "," SLIPWAY_EVENT_3_ROWS;
constexpr sqlite::Sql kSelectRange =
    "SELECT sequence,time_us,kind,project,plan,task,attempt,payload FROM event"
    " WHERE sequence>? AND sequence<=? ORDER BY sequence";
// Survives the deletion of all events.
constexpr sqlite::Sql kSelectLatest = "SELECT seq FROM sqlite_sequence WHERE name='event'";
constexpr sqlite::Sql kSelectCompacted = "SELECT compacted_sequence FROM log_meta";
constexpr sqlite::Sql kSelectUuid = "SELECT db_uuid FROM log_meta";
// Reads what it passes, which is about to be deleted.
constexpr sqlite::Sql kSelectFirstSince =
    "SELECT sequence FROM event WHERE time_us>=? ORDER BY sequence LIMIT 1";
constexpr sqlite::Sql kInsertMeta =
    "INSERT INTO log_meta(one,db_uuid,compacted_sequence) VALUES(1,?,0)";
constexpr sqlite::Sql kUpdateCompacted = "UPDATE log_meta SET compacted_sequence=?";
constexpr sqlite::Sql kDeleteUpTo = "DELETE FROM event WHERE sequence<=?";

constexpr absl::string_view kTokenVersion = "1";

int64_t ReadInt64(const sqlite::Row& row) { return row.Int64(0); }
std::string ReadText(const sqlite::Row& row) { return row.Text(0); }

Event ReadEvent(const sqlite::Row& row) {
  return {.sequence = row.Int64(0),
          .append_time = row.Time(1),
          .draft = {.kind = row.Text(2),
                    .project = row.Text(3),
                    .plan = row.Text(4),
                    .task = row.Text(5),
                    .attempt = row.Text(6),
                    .payload_json = row.Text(7)}};
}

size_t BytesOf(const EventDraft& draft) {
  return draft.kind.size() + draft.project.size() + draft.plan.size() + draft.task.size() +
         draft.attempt.size() + draft.payload_json.size();
}

absl::Status CheckDraft(const EventDraft& draft) {
  if (draft.kind.empty()) return EventInvalid("an event needs a kind");
  if (BytesOf(draft) <= kEventBytesMax) return absl::OkStatus();
  return EventTooLarge(draft.kind, BytesOf(draft), kEventBytesMax);
}

auto ColumnsOf(const EventDraft& draft) {
  return std::tie(draft.kind, draft.project, draft.plan, draft.task, draft.attempt,
                  draft.payload_json);
}

// As many drafts as there are indices, by a statement with as many rows.
template <size_t... I>
absl::Status Insert(sqlite::Transaction& transaction, sqlite::Sql sql, absl::Time time,
                    const EventDraft* const* drafts, std::index_sequence<I...>) {
  return std::apply([&](const auto&... values) { return transaction.Execute(sql, values...); },
                    std::tuple_cat(std::tie(time), ColumnsOf(*drafts[I])...));
}

absl::StatusOr<int64_t> ReadLatest(sqlite::Reader& reader) {
  ASSIGN_OR_RETURN(const std::optional<int64_t> latest, reader.FindOne(kSelectLatest, ReadInt64));
  return latest.value_or(0);
}

// Collects the kept events of (cursor, last] into `page` until it is full.
absl::Status Scan(sqlite::Reader& reader, int64_t last, const EventFilter& filter, size_t limit,
                  Page& page) {
  size_t bytes = 0;
  bool full = false;
  RETURN_IF_ERROR(reader.ForEach(
      kSelectRange,
      [&](const sqlite::Row& row) {
        if (full) return;
        Event event = ReadEvent(row);
        page.next_cursor = event.sequence;
        if (!filter.Matches(event.draft)) return;
        bytes += BytesOf(event.draft);
        page.events.push_back(std::move(event));
        full = page.events.size() >= limit || bytes >= kBatchBytesMax;
      },
      page.next_cursor, last));
  if (!full) page.next_cursor = last;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLog>> EventLog::Open(sqlite::Database& database,
                                                         base::IdGenerator& ids, std::string name) {
  ASSIGN_OR_RETURN(std::optional<std::string> uuid, database.Read([](sqlite::Reader& reader) {
    return reader.FindOne(kSelectUuid, ReadText);
  }));
  if (!uuid.has_value()) {
    uuid = ids.NewId("log");
    RETURN_IF_ERROR(database.Write(
        [&](sqlite::Transaction& transaction) { return transaction.Execute(kInsertMeta, *uuid); }));
  }
  return std::unique_ptr<EventLog>(new EventLog(database, std::move(name), *std::move(uuid)));
}

absl::StatusOr<int64_t> EventLog::Append(sqlite::Transaction& transaction, absl::Time time,
                                         const EventDraft& draft) {
  RETURN_IF_ERROR(CheckDraft(draft));
  const EventDraft* const only = &draft;
  // Not RETURNING: for each event SQLite would make and drop a table in memory of its own.
  RETURN_IF_ERROR(Insert(transaction, kInsert, time, &only, std::make_index_sequence<1>()));
  return transaction.last_insert_rowid();
}

absl::Status EventLog::AppendAll(sqlite::Transaction& transaction, absl::Time time,
                                 absl::Span<const EventDraft* const> drafts) {
  for (const EventDraft* const draft : drafts) RETURN_IF_ERROR(CheckDraft(*draft));
  while (drafts.size() >= 16) {
    RETURN_IF_ERROR(
        Insert(transaction, kInsert16, time, drafts.data(), std::make_index_sequence<16>()));
    drafts.remove_prefix(16);
  }
  while (drafts.size() >= 4) {
    RETURN_IF_ERROR(
        Insert(transaction, kInsert4, time, drafts.data(), std::make_index_sequence<4>()));
    drafts.remove_prefix(4);
  }
  for (const EventDraft* const& draft : drafts) {
    RETURN_IF_ERROR(Insert(transaction, kInsert, time, &draft, std::make_index_sequence<1>()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Page> EventLog::ReadAfter(int64_t cursor, const EventFilter& filter, int limit) {
  return database_.Read([&](sqlite::Reader& reader) -> absl::StatusOr<Page> {
    ASSIGN_OR_RETURN(const int64_t latest, ReadLatest(reader));
    ASSIGN_OR_RETURN(const int64_t compacted, reader.QueryOne(kSelectCompacted, ReadInt64));
    const int64_t after = cursor == kFromOldest ? compacted : cursor;
    if (after < compacted) return ResumeTokenExpired(after, compacted + 1);
    if (after > latest) {
      return ResumeTokenForeign(absl::StrCat("is at event ", after, " but the last one here is ",
                                             latest, " (was a backup restored?)"));
    }
    const int64_t last = std::min(latest, after + kScanMax);
    Page page{.next_cursor = after};
    RETURN_IF_ERROR(Scan(reader, last, filter, static_cast<size_t>(std::max(limit, 1)), page));
    page.at_end = page.next_cursor == latest;
    return page;
  });
}

absl::StatusOr<int64_t> EventLog::Oldest() {
  return database_.Read(
      [](sqlite::Reader& reader) { return reader.QueryOne(kSelectCompacted, ReadInt64); });
}

absl::StatusOr<int64_t> EventLog::Latest() { return database_.Read(ReadLatest); }

absl::StatusOr<int64_t> EventLog::Compact(int64_t below) {
  int64_t deleted = 0;
  bool done = false;
  while (!done) {
    const absl::StatusOr<int64_t> step =
        database_.Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<int64_t> {
          ASSIGN_OR_RETURN(const int64_t latest, ReadLatest(transaction));
          ASSIGN_OR_RETURN(const int64_t before, transaction.QueryOne(kSelectCompacted, ReadInt64));
          const int64_t target = std::min(latest, below - 1);
          const int64_t after = std::min(target, before + kCompactStep);
          done = after >= target;
          if (after <= before) return 0;
          RETURN_IF_ERROR(transaction.Execute(kUpdateCompacted, after));
          RETURN_IF_ERROR(transaction.Execute(kDeleteUpTo, after));
          return transaction.changes();
        });
    if (!step.ok()) return step.status();
    deleted += *step;
  }
  return deleted;
}

absl::StatusOr<int64_t> EventLog::CompactOlder(absl::Time time) {
  // Before the other: what is appended meanwhile is young.
  ASSIGN_OR_RETURN(const int64_t latest, Latest());
  ASSIGN_OR_RETURN(const std::optional<int64_t> first_young,
                   database_.Read([&](sqlite::Reader& reader) {
                     return reader.FindOne(kSelectFirstSince, ReadInt64, time);
                   }));
  return Compact(first_young.value_or(latest + 1));
}

std::string EventLog::EncodeToken(int64_t cursor) const {
  return absl::WebSafeBase64Escape(absl::StrCat(kTokenVersion, ":", uuid_, ":", cursor));
}

absl::StatusOr<int64_t> EventLog::DecodeToken(absl::string_view token) const {
  std::string text;
  if (token.size() > kResumeTokenBytesMax || !absl::WebSafeBase64Unescape(token, &text)) {
    return ResumeTokenInvalid();
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  int64_t cursor = 0;
  if (parts.size() != 3 || parts[0] != kTokenVersion || parts[1].empty() ||
      !absl::SimpleAtoi(parts[2], &cursor) || cursor < 0) {
    return ResumeTokenInvalid();
  }
  if (parts[1] != uuid_) return ResumeTokenForeign("is of another database");
  return cursor;
}

}  // namespace slipway::events
