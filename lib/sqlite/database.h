#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/sqlite/connection.h"
#include "lib/sqlite/log_vfs.h"
#include "lib/sqlite/migration.h"
#include "lib/sqlite/reader.h"
#include "lib/sqlite/transaction.h"

namespace slipway::sqlite {

enum class Synchronous {
  kNormal,  // A power failure may undo the last commits, never corrupts.
  kFull,    // A commit that returned survives a power failure.
};

struct Options {
  Synchronous synchronous = Synchronous::kFull;
  absl::Span<const Migration> migrations = {};  // Must live through Open.
  bool read_only = false;                       // Write fails; the file must exist.
  bool exclusive = false;  // Holds `path`.lock, so that no other process opens it exclusively.
  int readers_max = 4;     // Concurrent Reads; further ones wait.
  absl::Duration busy_timeout = absl::Seconds(5);  // For locks of other processes.
  // Name of a registered VFS; null is the system's. Another one manages modes and locks itself.
  const char* vfs = nullptr;
  // Writes the pages of a commit to the log in one piece, which takes memory of their size, and
  // lets WriteUnsynced leave the sync to SyncLog; see log_vfs.h. Without effect unless kFull.
  bool gather_log = false;
  int cache_kib = 2'000;         // Pages that the writing connection keeps in memory.
  int checkpoint_pages = 1'000;  // The log is carried over when it has grown to so many.
  // By a thread of its own, so that writers wait for the last pages of it at most. Where it does
  // not keep up, the log is carried over by the commit that lets it grow to four times as many.
  bool checkpoint_apart = false;
  // Of an owner who makes changes durable before he writes them here: called by each Read before it
  // looks, to wait for what has to be seen; its error is that of the Read. Reads then sync nothing.
  std::function<absl::Status()> before_read = nullptr;
  int64_t pages_max = 0;  // Size limit in pages of 4 KiB, then DISK_FULL; 0: no limit of ours.
};

// A SQLite file in WAL mode: one connection writes and checkpoints, a small pool of read-only
// connections reads. Tables are STRICT by convention. Files are created with mode 0600.
//
// Thread-safe. Neither Write nor Read may be called from inside a function that Write runs (nor,
// with ":memory:", that Read runs): that fails with INTERNAL (NESTED_USE). Must outlive all calls.
class Database final {
 public:
  // Opens or creates `path`, a file or ":memory:" (private to this object), and applies the
  // migrations that are missing in one transaction. Fails with
  //   SCHEMA_NEWER      the file was written by a newer program; nothing is changed
  //   SCHEMA_OLDER      read_only, and migrations are missing
  //   MIGRATIONS_INVALID  versions are not 1, 2, 3, ..
  //   LOCKED            another process holds it exclusively
  // or a reason of result_code.h, such as DATABASE_CORRUPT.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path,
                                                        const Options& options = {});

  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs `change`, Status(Transaction&) or StatusOr<T>(Transaction&), in a transaction. Commits and
  // returns its result when that is OK, else rolls back. One at a time; blocks on disk.
  template <typename Change>
  std::invoke_result_t<Change&, Transaction&> Write(Change change) {
    using Result = std::invoke_result_t<Change&, Transaction&>;
    std::optional<Result> result;
    absl::Status status = RunWrite([&](Transaction& transaction) {
      result.emplace(change(transaction));
      return StatusOf(*result);
    });
    if (!status.ok()) return status;
    return *std::move(result);
  }

  // As Write, but a power failure may undo the commit until SyncLog was called: by the caller, who
  // must tell nobody of it before. Whoever reads meanwhile syncs first. Only with gather_log; else
  // as Write.
  template <typename Change>
  std::invoke_result_t<Change&, Transaction&> WriteUnsynced(Change change) {
    using Result = std::invoke_result_t<Change&, Transaction&>;
    std::optional<Result> result;
    absl::Status status = RunUnsynced([&](Transaction& transaction) {
      result.emplace(change(transaction));
      return StatusOf(*result);
    });
    if (!status.ok()) return status;
    return *std::move(result);
  }

  // Makes every commit durable that has returned. Also while another thread writes. When it fails
  // it will always fail: what is on disk is then unknown.
  absl::Status SyncLog();

  // Runs `query`, Status(Reader&) or StatusOr<T>(Reader&), against the state after some commit.
  // Every Write that returned before is visible. Blocks on disk.
  template <typename Query>
  std::invoke_result_t<Query&, Reader&> Read(Query query) {
    using Result = std::invoke_result_t<Query&, Reader&>;
    std::optional<Result> result;
    absl::Status status = RunRead([&](Reader& reader) {
      result.emplace(query(reader));
      return StatusOf(*result);
    });
    if (!status.ok()) return status;
    return *std::move(result);
  }

  // As Read, but may see commits that a power failure can still undo: only for what is told to
  // nobody before SyncLog was called.
  template <typename Query>
  std::invoke_result_t<Query&, Reader&> ReadUnsynced(Query query) {
    using Result = std::invoke_result_t<Query&, Reader&>;
    std::optional<Result> result;
    absl::Status status = RunQuery([&](Reader& reader) {
      result.emplace(query(reader));
      return StatusOf(*result);
    });
    if (!status.ok()) return status;
    return *std::move(result);
  }

  // As ReadUnsynced, for a query of one statement, which is a transaction by itself: half the time.
  template <typename Query>
  std::invoke_result_t<Query&, Reader&> ReadStatementUnsynced(Query query) {
    using Result = std::invoke_result_t<Query&, Reader&>;
    std::optional<Result> result;
    absl::Status status = RunStatement([&](Reader& reader) {
      result.emplace(query(reader));
      return StatusOf(*result);
    });
    if (!status.ok()) return status;
    return *std::move(result);
  }

  // Reads the whole file; DATA_LOSS (DATABASE_CORRUPT) with the first finding when it is damaged.
  absl::Status CheckIntegrity();

  // Whether WriteUnsynced leaves something to SyncLog.
  bool syncs_apart() const { return log_ != nullptr; }

  // The version of the schema: of the last migration applied.
  int schema_version() const { return schema_version_; }

 private:
  Database(std::string path, const Options& options);

  static const absl::Status& StatusOf(const absl::Status& status) { return status; }
  template <typename T>
  static const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
    return result.status();
  }

  absl::Status OpenWriter();
  absl::Status Migrate(absl::Span<const Migration> migrations);
  absl::Status SyncRecovered();
  absl::StatusOr<int> ReadSchemaVersion();
  absl::Status StartCheckpoints();
  static int OnCommitted(void* self, sqlite3* writer, const char* schema, int log_pages);
  void CheckpointWhenGrown();
  void CarryOver();
  absl::StatusOr<std::unique_ptr<Connection>> OpenReader();
  absl::StatusOr<std::unique_ptr<Connection>> TakeReader();
  void ReturnReader(std::unique_ptr<Connection> reader);
  absl::Status CheckNotNested() const;

  absl::Status RunWrite(absl::FunctionRef<absl::Status(Transaction&)> change);
  absl::Status RunUnsynced(absl::FunctionRef<absl::Status(Transaction&)> change);
  absl::Status Commit();
  absl::Status RunRead(absl::FunctionRef<absl::Status(Reader&)> query);
  absl::Status RunQuery(absl::FunctionRef<absl::Status(Reader&)> query);
  absl::Status RunStatement(absl::FunctionRef<absl::Status(Reader&)> query);
  absl::Status SyncWhatWasSeen();
  absl::Status RunReadOn(Connection& connection, absl::FunctionRef<absl::Status(Reader&)> query);

  const std::string path_;
  const Options options_;
  const bool in_memory_;
  int schema_version_ = 0;
  base::UniqueFd lock_;
  std::unique_ptr<LogVfs> log_vfs_;  // Null unless the log is gathered. Outlives the connections.
  sqlite3_file* log_ = nullptr;      // Of the writer; null when it cannot be synced apart.

  base::Mutex write_mutex_;
  std::unique_ptr<Connection> writer_;           // Used under write_mutex_ once opened.
  std::atomic<std::thread::id> writing_thread_;  // Of the function that runs on writer_.

  // Commits by number. One that has begun may be seen by readers.
  base::Mutex sync_mutex_;
  base::CondVar commit_ended_;
  int64_t commits_begun_ ABSL_GUARDED_BY(sync_mutex_) = 0;
  int64_t commits_ended_ ABSL_GUARDED_BY(sync_mutex_) = 0;
  int64_t commits_synced_ ABSL_GUARDED_BY(sync_mutex_) = 0;
  absl::Status sync_failure_ ABSL_GUARDED_BY(sync_mutex_);
  base::Mutex one_sync_mutex_;  // Held while syncing.

  // Of the thread that carries the log over.
  std::unique_ptr<Connection> checkpointer_;
  std::atomic<int64_t> logged_commits_ = 0;
  base::Mutex checkpoint_mutex_;
  base::CondVar log_changed_;
  bool log_grown_ ABSL_GUARDED_BY(checkpoint_mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(checkpoint_mutex_) = false;
  std::thread checkpoint_thread_;

  base::Mutex readers_mutex_;
  base::CondVar reader_returned_;
  int readers_open_ ABSL_GUARDED_BY(readers_mutex_) = 0;
  std::vector<std::unique_ptr<Connection>> idle_readers_ ABSL_GUARDED_BY(readers_mutex_);
};

}  // namespace slipway::sqlite
