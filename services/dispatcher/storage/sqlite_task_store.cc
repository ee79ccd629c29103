#include "services/dispatcher/storage/sqlite_task_store.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/storage/auditor.h"
#include "services/dispatcher/storage/change_writer.h"
#include "services/dispatcher/storage/schema.h"
#include "services/dispatcher/storage/task_json.h"
#include "services/dispatcher/storage/task_rows.h"

namespace slipway::dispatcher {
namespace {

// What tasks under way and the ends of tables need. More would cost more: a commit after a page was
// split looks at every page in the cache.
constexpr int kCacheKib = 8 << 10;
// 32 MiB: a page that changes often is carried over once for many commits.
constexpr int kCheckpointPages = 8'000;
// Changes that wait for their inspection, which comes right after their commit.
constexpr size_t kRecentBytesMax = 16 << 20;
constexpr size_t kRecentMax = 1'024;

constexpr sqlite::Sql kBeginTerm = "UPDATE meta SET term=term+1 RETURNING term";
constexpr sqlite::Sql kInsertTerm =
    "INSERT INTO term(number,begin_time_us,begin_sequence,lease_timeout_us)"
    " VALUES(?,?,(SELECT COALESCE(MAX(sequence),0) FROM event),0)";
constexpr sqlite::Sql kSelectTerm = "SELECT term FROM meta";
constexpr sqlite::Sql kSelectCursor = "SELECT ledger_cursor FROM meta";

constexpr sqlite::Sql kAllRuns = "SELECT " SLIPWAY_RUN_COLUMNS " FROM run ORDER BY position";
constexpr sqlite::Sql kActiveTasks =
    "SELECT " SLIPWAY_TASK_COLUMNS " FROM " SLIPWAY_TASKS
    " WHERE plan IN (SELECT plan FROM run WHERE state IN (1,2)) ORDER BY plan,position";
constexpr sqlite::Sql kActiveAttempts =
    "SELECT " SLIPWAY_ATTEMPT_COLUMNS
    " FROM attempt WHERE plan IN (SELECT plan FROM run WHERE state IN (1,2))";
constexpr sqlite::Sql kActiveCheckpoints =
    "SELECT " SLIPWAY_CHECKPOINT_COLUMNS
    " FROM checkpoint WHERE plan IN (SELECT plan FROM run WHERE state IN (1,2))";
constexpr sqlite::Sql kOpenKeys =
    "SELECT " SLIPWAY_ATTEMPT_COLUMNS " FROM attempt WHERE key_open=1 AND state NOT IN (1,2)";
constexpr sqlite::Sql kPauses = "SELECT scope,reason,actor,time_us FROM pause";

constexpr sqlite::Sql kStarts =
    "SELECT agent,host,token_digest,create_time_us FROM start_intent ORDER BY agent";
constexpr sqlite::Sql kHostOrders =
    "SELECT host,cordoned,draining,drain_deadline_us,reason,actor,time_us FROM host_order";

constexpr sqlite::Sql kUsage =
    "SELECT project,virtual_us,slot_us,cost_usd_nanos FROM project_usage ORDER BY project";

constexpr sqlite::Sql kFindRun = "SELECT " SLIPWAY_RUN_COLUMNS " FROM run WHERE plan=?";
constexpr sqlite::Sql kListRuns =
    "SELECT " SLIPWAY_RUN_COLUMNS
    " FROM run WHERE (?1='' OR project=?1) AND (?2=0 OR position<?2) ORDER BY position DESC LIMIT "
    "?3";
constexpr sqlite::Sql kCountTasks = "SELECT state,count(*) FROM task WHERE plan=? GROUP BY state";
constexpr sqlite::Sql kFindTask =
    "SELECT " SLIPWAY_TASK_COLUMNS " FROM " SLIPWAY_TASKS " WHERE plan=? AND id=?";
constexpr sqlite::Sql kListTasks = "SELECT " SLIPWAY_TASK_COLUMNS " FROM " SLIPWAY_TASKS
                                   " WHERE plan=?1 AND position>=?2 AND (?3=0 OR (?3>>state)&1=1)"
                                   " ORDER BY position LIMIT ?4";
constexpr sqlite::Sql kFindAttempt =
    "SELECT " SLIPWAY_ATTEMPT_COLUMNS " FROM attempt WHERE plan=? AND task=? AND epoch=?";
constexpr sqlite::Sql kListAttempts =
    "SELECT " SLIPWAY_ATTEMPT_COLUMNS
    " FROM attempt WHERE plan=? AND task=? ORDER BY epoch LIMIT 1000";
constexpr sqlite::Sql kListCheckpoints =
    "SELECT " SLIPWAY_CHECKPOINT_COLUMNS
    " FROM checkpoint WHERE (?1='' OR plan=?1) AND (?2=1 OR decision=0) AND position>?3"
    " AND (?2=1 OR EXISTS(SELECT 1 FROM task t WHERE t.plan=checkpoint.plan AND"
    " t.id=checkpoint.task AND t.open_checkpoint=checkpoint.number))"
    " ORDER BY position LIMIT ?4";
constexpr sqlite::Sql kReadPatch =
    "SELECT patch,tree,facts,salvage FROM result WHERE plan=? AND task=? AND epoch=? AND patch IS "
    "NOT "
    "NULL";
constexpr sqlite::Sql kReadEvidence =
    "SELECT facts FROM result WHERE plan=? AND task=? AND epoch=? AND patch IS NULL";

absl::Status ResultMissingFor(const AttemptKey& key) {
  return base::Error(absl::StatusCode::kInternal, "RESULT_LOST",
                     absl::StrCat("the result of ", key.Name(), " is not in the database"));
}

Pause ReadPause(const sqlite::Row& row) {
  return {.scope = row.Text(0), .reason = row.Text(1), .actor = row.Text(2), .time = row.Time(3)};
}

StartIntent ReadStart(const sqlite::Row& row) {
  return {.agent = row.Text(0),
          .host = row.Text(1),
          .token_digest = row.Text(2),
          .create_time = row.Time(3)};
}

HostOrder ReadHostOrder(const sqlite::Row& row) {
  return {.host = row.Text(0),
          .cordoned = row.Int(1) != 0,
          .draining = row.Int(2) != 0,
          .drain_deadline = row.IsNull(3) ? std::nullopt : std::make_optional(row.Time(3)),
          .reason = row.Text(4),
          .actor = row.Text(5),
          .time = row.Time(6)};
}

ProjectUsage ReadUsage(const sqlite::Row& row) {
  return {.project = row.Text(0),
          .virtual_time = absl::Microseconds(row.Int64(1)),
          .slot_time = absl::Microseconds(row.Int64(2)),
          .cost_usd_nanos = row.Int64(3)};
}

[[noreturn]] void EndProcess(const absl::Status& status) {
  const std::string text =
      absl::StrCat("dispatcher: a change could not be stored: ", status.ToString(), "\n");
  fputs(text.c_str(), stderr);
  std::abort();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteTaskStore>> SqliteTaskStore::Open(const std::string& path,
                                                                       base::Clock& clock,
                                                                       base::IdGenerator& ids) {
  return Open(Options{.path = path}, clock, ids);
}

absl::StatusOr<std::unique_ptr<SqliteTaskStore>> SqliteTaskStore::Open(Options options,
                                                                       base::Clock& clock,
                                                                       base::IdGenerator& ids) {
  ASSIGN_OR_RETURN(std::unique_ptr<sqlite::Database> database,
                   sqlite::Database::Open(options.path, {.migrations = Migrations(),
                                                         .exclusive = options.path != ":memory:",
                                                         .vfs = options.vfs,
                                                         .gather_log = true,
                                                         .cache_kib = kCacheKib,
                                                         .checkpoint_pages = kCheckpointPages,
                                                         .checkpoint_apart = options.own_thread}));
  std::unique_ptr<SqliteTaskStore> store(
      new SqliteTaskStore(std::move(database), std::move(options), clock));
  ASSIGN_OR_RETURN(store->log_, events::EventLog::Open(*store->database_, ids, "dispatcher"));
  RETURN_IF_ERROR(store->BeginTerm());
  store->pipeline_ = std::make_unique<ChangePipeline>(
      *store->database_,
      ChangePipeline::Options{
          .apply =
              [self = store.get()](sqlite::Transaction& transaction,
                                   std::vector<ChangeSet>& changes) {
                return self->Apply(transaction, changes);
              },
          .on_durable = [log = store->log_.get()] { log->NotifyAppended(); },
          .on_lost = [self = store.get()](const absl::Status& status) { self->Lose(status); },
          .own_threads = store->options_.own_thread});
  return store;
}

absl::Status SqliteTaskStore::BeginTerm() {
  ASSIGN_OR_RETURN(
      term_, database_->Write([this](sqlite::Transaction& transaction) -> absl::StatusOr<int64_t> {
        ASSIGN_OR_RETURN(const int64_t term, transaction.QueryOne(kBeginTerm, [](const auto& row) {
          return row.Int64(0);
        }));
        RETURN_IF_ERROR(transaction.Execute(kInsertTerm, term, clock_.Now()));
        return term;
      }));
  return absl::OkStatus();
}

void SqliteTaskStore::Lose(const absl::Status& status) {
  if (!options_.on_lost) EndProcess(status);
  options_.on_lost(status);
}

absl::StatusOr<AuditResult> SqliteTaskStore::Audit() {
  return database_->Read([](sqlite::Reader& reader) { return Auditor(reader).Run(); });
}

absl::StatusOr<Snapshot> SqliteTaskStore::Load() {
  return database_->Read([](sqlite::Reader& reader) -> absl::StatusOr<Snapshot> {
    Snapshot snapshot;
    ASSIGN_OR_RETURN(std::vector<RunRow> runs, reader.Query(kAllRuns, ReadRun));
    for (RunRow& row : runs) snapshot.runs.push_back(std::move(row.run));
    ASSIGN_OR_RETURN(snapshot.tasks, reader.Query(kActiveTasks, ReadTask));
    ASSIGN_OR_RETURN(snapshot.attempts, reader.Query(kActiveAttempts, ReadAttempt));
    ASSIGN_OR_RETURN(std::vector<CheckpointRow> checkpoints,
                     reader.Query(kActiveCheckpoints, ReadCheckpoint));
    for (CheckpointRow& row : checkpoints) {
      snapshot.checkpoints.push_back(std::move(row.checkpoint));
    }
    ASSIGN_OR_RETURN(snapshot.pauses, reader.Query(kPauses, ReadPause));
    ASSIGN_OR_RETURN(snapshot.starts, reader.Query(kStarts, ReadStart));
    ASSIGN_OR_RETURN(snapshot.host_orders, reader.Query(kHostOrders, ReadHostOrder));
    ASSIGN_OR_RETURN(snapshot.usage, reader.Query(kUsage, ReadUsage));
    ASSIGN_OR_RETURN(snapshot.open_keys, reader.Query(kOpenKeys, ReadAttempt));
    ASSIGN_OR_RETURN(
        snapshot.ledger_cursor,
        reader.QueryOne(kSelectCursor, [](const sqlite::Row& row) { return row.Text(0); }));
    return snapshot;
  });
}

absl::Status SqliteTaskStore::Apply(sqlite::Transaction& transaction,
                                    std::vector<ChangeSet>& queued) {
  ASSIGN_OR_RETURN(const int64_t term,
                   transaction.QueryOne(kSelectTerm, [](const auto& row) { return row.Int64(0); }));
  if (term != term_) {
    return base::Error(absl::StatusCode::kAborted, "TERM_OVER",
                       absl::StrCat("another dispatcher began term ", term, " after ", term_));
  }
  std::vector<const events::EventDraft*> events;
  for (const ChangeSet& changes : queued) {
    for (const events::EventDraft& event : changes.events) events.push_back(&event);
  }
  RETURN_IF_ERROR(log_->AppendAll(transaction, clock_.Now(), events));
  return WriteRows(transaction, queued);
}

void SqliteTaskStore::Commit(ChangeSet changes, absl::AnyInvocable<void() &&> committed) {
  Keep(changes.results);
  pipeline_->Commit(std::move(changes), std::move(committed));
}

void SqliteTaskStore::Keep(const std::vector<ResultWrite>& results) {
  base::MutexLock lock(recent_mutex_);
  for (const ResultWrite& write : results) {
    const auto* const change = std::get_if<ChangeResult>(&write.result);
    if (change == nullptr || write.salvage) continue;
    const size_t bytes = change->patch.size() + change->summary.size();
    if (bytes > kRecentBytesMax || !recent_.emplace(write.attempt, *change).second) continue;
    recent_bytes_ += bytes;
    recent_order_.push_back(write.attempt);
    while (recent_bytes_ > kRecentBytesMax || recent_order_.size() > kRecentMax) {
      DropRecent(recent_order_.front());
      recent_order_.pop_front();
    }
  }
}

std::optional<ChangeResult> SqliteTaskStore::DropRecent(const AttemptKey& attempt) {
  auto found = recent_.extract(attempt);
  if (found.empty()) return std::nullopt;
  recent_bytes_ -= found.mapped().patch.size() + found.mapped().summary.size();
  return std::move(found.mapped());
}

std::optional<ChangeResult> SqliteTaskStore::TakeRecentChange(const AttemptKey& attempt) {
  base::MutexLock lock(recent_mutex_);
  return DropRecent(attempt);
}

absl::StatusOr<std::optional<Run>> SqliteTaskStore::FindRun(const std::string& plan) {
  return database_->Read([&](sqlite::Reader& reader) -> absl::StatusOr<std::optional<Run>> {
    ASSIGN_OR_RETURN(const std::optional<RunRow> row, reader.FindOne(kFindRun, ReadRun, plan));
    if (!row.has_value()) return std::nullopt;
    return row->run;
  });
}

absl::StatusOr<TaskStore::RunPage> SqliteTaskStore::ListRuns(const std::string& project,
                                                             int64_t before, int limit) {
  return database_->Read([&](sqlite::Reader& reader) -> absl::StatusOr<RunPage> {
    ASSIGN_OR_RETURN(std::vector<RunRow> rows,
                     reader.Query(kListRuns, ReadRun, project, before, limit + 1));
    RunPage page;
    for (RunRow& row : rows) {
      if (page.runs.size() == static_cast<size_t>(limit)) break;
      page.runs.push_back(std::move(row.run));
      if (rows.size() > static_cast<size_t>(limit)) page.next = row.position;
    }
    return page;
  });
}

absl::StatusOr<std::vector<std::pair<TaskState, int>>> SqliteTaskStore::CountTasks(
    const std::string& plan) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.Query(
        kCountTasks,
        [](const sqlite::Row& row) {
          return std::make_pair(static_cast<TaskState>(row.Int(0)), row.Int(1));
        },
        plan);
  });
}

absl::StatusOr<std::optional<Task>> SqliteTaskStore::FindTask(const TaskKey& key) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kFindTask, ReadTask, key.plan, key.id);
  });
}

absl::StatusOr<std::vector<Task>> SqliteTaskStore::ListTasks(const std::string& plan,
                                                             const std::vector<TaskState>& states,
                                                             int from, int limit) {
  int64_t mask = 0;
  for (const TaskState state : states) mask |= int64_t{1} << static_cast<int>(state);
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.Query(kListTasks, ReadTask, plan, from, mask, limit);
  });
}

absl::StatusOr<std::optional<Attempt>> SqliteTaskStore::FindAttempt(const AttemptKey& key) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(kFindAttempt, ReadAttempt, key.task.plan, key.task.id, key.epoch);
  });
}

absl::StatusOr<std::vector<Attempt>> SqliteTaskStore::ListAttempts(const TaskKey& task) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.Query(kListAttempts, ReadAttempt, task.plan, task.id);
  });
}

absl::StatusOr<TaskStore::CheckpointPage> SqliteTaskStore::ListCheckpoints(const std::string& plan,
                                                                           bool show_resolved,
                                                                           int64_t after,
                                                                           int limit) {
  return database_->Read([&](sqlite::Reader& reader) -> absl::StatusOr<CheckpointPage> {
    ASSIGN_OR_RETURN(
        std::vector<CheckpointRow> rows,
        reader.Query(kListCheckpoints, ReadCheckpoint, plan, show_resolved, after, limit + 1));
    CheckpointPage page;
    for (CheckpointRow& row : rows) {
      if (page.checkpoints.size() == static_cast<size_t>(limit)) break;
      page.checkpoints.push_back(std::move(row.checkpoint));
      if (rows.size() > static_cast<size_t>(limit)) page.next = row.position;
    }
    return page;
  });
}

absl::StatusOr<std::vector<Pause>> SqliteTaskStore::ListPauses() {
  return database_->Read([](sqlite::Reader& reader) { return reader.Query(kPauses, ReadPause); });
}

absl::StatusOr<std::optional<TaskStore::KeptChange>> SqliteTaskStore::FindChange(
    const AttemptKey& attempt) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.FindOne(
        kReadPatch,
        [](const sqlite::Row& row) {
          return KeptChange{
              .change = {.patch = row.Blob(0), .tree = row.Text(1), .summary = row.Text(2)},
              .salvage = row.Bool(3)};
        },
        attempt.task.plan, attempt.task.id, attempt.epoch);
  });
}

absl::StatusOr<ChangeResult> SqliteTaskStore::ReadChange(const AttemptKey& attempt) {
  ASSIGN_OR_RETURN(std::optional<KeptChange> kept, FindChange(attempt));
  if (!kept.has_value()) return ResultMissingFor(attempt);
  return std::move(kept->change);
}

absl::StatusOr<EvidenceResult> SqliteTaskStore::ReadEvidence(const AttemptKey& attempt) {
  ASSIGN_OR_RETURN(const std::optional<std::string> facts,
                   database_->Read([&](sqlite::Reader& reader) {
                     return reader.FindOne(
                         kReadEvidence, [](const sqlite::Row& row) { return row.Text(0); },
                         attempt.task.plan, attempt.task.id, attempt.epoch);
                   }));
  if (!facts.has_value()) return ResultMissingFor(attempt);
  return EvidenceFromJson(*facts);
}

}  // namespace slipway::dispatcher
