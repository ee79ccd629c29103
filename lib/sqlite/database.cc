#include "lib/sqlite/database.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/sqlite/log_vfs.h"
#include "lib/sqlite/result_code.h"

namespace slipway::sqlite {
namespace {

constexpr Sql kBeginWrite = "BEGIN IMMEDIATE";
constexpr Sql kBeginRead = "BEGIN";
constexpr Sql kCommit = "COMMIT";
constexpr Sql kRollBack = "ROLLBACK";

// The log is cut back to this size after a checkpoint, so that one large transaction does not
// occupy its disk space for ever.
constexpr int kWalBytesKept = 64 << 20;

// A log that others write to meanwhile is carried over in passes, each of what came during the one
// before; after so many they have to wait for the last.
constexpr int kPassesBesideWriters = 4;
// What the log may grow to, in times of checkpoint_pages, before a writer carries it over itself.
constexpr int kLogBehindMax = 4;

// Rolls back at the end of the scope unless the transaction has ended.
class RollBack final {
 public:
  explicit RollBack(Connection& connection) : connection_(connection) {}
  ~RollBack() {
    if (connection_.in_transaction()) connection_.Run(kRollBack).IgnoreError();
  }
  RollBack(const RollBack&) = delete;
  RollBack& operator=(const RollBack&) = delete;

 private:
  Connection& connection_;
};

// Marks the calling thread as the one that uses the write connection.
class MarkThread final {
 public:
  explicit MarkThread(std::atomic<std::thread::id>& mark) : mark_(mark) {
    mark_ = std::this_thread::get_id();
  }
  ~MarkThread() { mark_ = std::thread::id(); }
  MarkThread(const MarkThread&) = delete;
  MarkThread& operator=(const MarkThread&) = delete;

 private:
  std::atomic<std::thread::id>& mark_;
};

// SQLite creates the log and its index with the mode of the database. An existing file is never
// opened here: closing it would drop the locks this process holds on it.
absl::Status MakePrivateFile(const std::string& path) {
  const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) {
    base::UniqueFd created(fd);
    return absl::OkStatus();
  }
  if (errno != EEXIST) return base::ErrnoStatus(errno, absl::StrCat("cannot create ", path));
  if (chmod(path.c_str(), 0600) != 0) {
    return base::ErrnoStatus(errno, absl::StrCat("cannot restrict access to ", path));
  }
  return absl::OkStatus();
}

absl::Status CheckOrder(absl::Span<const Migration> migrations) {
  int expected = 1;
  for (const Migration& migration : migrations) {
    if (migration.version != expected) {
      return base::Error(
          absl::StatusCode::kInternal, "MIGRATIONS_INVALID",
          absl::StrCat("migration ", migration.version, " where ", expected, " was expected"));
    }
    ++expected;
  }
  return absl::OkStatus();
}

}  // namespace

Database::Database(std::string path, const Options& options)
    : path_(std::move(path)),
      options_(options),
      in_memory_(path_ == ":memory:"),
      writing_thread_(std::thread::id()) {}

// Readers go first: the last connection to close is the one that may checkpoint.
Database::~Database() {
  {
    base::MutexLock lock(checkpoint_mutex_);
    closing_ = true;
    log_changed_.NotifyAll();
  }
  if (checkpoint_thread_.joinable()) checkpoint_thread_.join();
  checkpointer_.reset();
  {
    base::MutexLock lock(readers_mutex_);
    idle_readers_.clear();
  }
  writer_.reset();
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path,
                                                         const Options& options) {
  RETURN_IF_ERROR(CheckOrder(options.migrations));
  Connection::ConfigureLibrary();
  std::unique_ptr<Database> database(new Database(path, options));
  if (options.exclusive && !database->in_memory_ && options.vfs == nullptr) {
    ASSIGN_OR_RETURN(database->lock_, base::LockFile(absl::StrCat(path, ".lock")));
  }
  RETURN_IF_ERROR(database->OpenWriter());
  RETURN_IF_ERROR(database->Migrate(options.migrations));
  RETURN_IF_ERROR(database->SyncRecovered());
  RETURN_IF_ERROR(database->StartCheckpoints());
  return database;
}

absl::Status Database::OpenWriter() {
  if (!in_memory_ && !options_.read_only && options_.vfs == nullptr) {
    RETURN_IF_ERROR(MakePrivateFile(path_));
  }
  const int flags =
      options_.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const char* vfs = options_.vfs;
  if (options_.gather_log && options_.synchronous == Synchronous::kFull && !in_memory_ &&
      !options_.read_only) {
    log_vfs_ = std::make_unique<LogVfs>(options_.vfs);
    vfs = log_vfs_->name();
  }
  ASSIGN_OR_RETURN(writer_, Connection::Open(path_, flags, vfs));
  RETURN_IF_ERROR(writer_->RunScript(
      absl::StrCat("PRAGMA busy_timeout=", absl::ToInt64Milliseconds(options_.busy_timeout),
                   "; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON;")));
  if (!options_.read_only && !in_memory_) {
    ASSIGN_OR_RETURN(const std::string mode, writer_->ReadText("PRAGMA journal_mode=WAL"));
    if (mode != "wal") {
      return base::Error(absl::StatusCode::kFailedPrecondition, "DATABASE_NOT_OPENED",
                         absl::StrCat(path_,
                                      " cannot use a write-ahead log; its file system must "
                                      "support shared memory"));
    }
    RETURN_IF_ERROR(writer_->RunScript(absl::StrCat(
        "PRAGMA journal_size_limit=", kWalBytesKept,
        "; PRAGMA synchronous=", options_.synchronous == Synchronous::kFull ? "FULL" : "NORMAL")));
  }
  RETURN_IF_ERROR(writer_->RunScript(absl::StrCat("PRAGMA cache_size=-", options_.cache_kib)));
  RETURN_IF_ERROR(
      writer_->RunScript(absl::StrCat("PRAGMA wal_autocheckpoint=", options_.checkpoint_pages)));
  if (options_.pages_max > 0) {
    RETURN_IF_ERROR(writer_->RunScript(absl::StrCat("PRAGMA max_page_count=", options_.pages_max)));
  }
  return absl::OkStatus();
}

// A process that was killed between the write and the sync of a commit leaves it in the system's
// cache. This one sees it and may tell of it, so it must not be lost in a power failure: a
// checkpoint syncs the log first. It also knows whether there is a log: a read error while the mode
// is set can go unnoticed, and without a log a power failure may undo the last commit.
absl::Status Database::SyncRecovered() {
  if (in_memory_ || options_.read_only) return absl::OkStatus();
  int log_frames = 0;
  int checkpointed = 0;
  const int code = sqlite3_wal_checkpoint_v2(writer_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             &log_frames, &checkpointed);
  if (code == SQLITE_BUSY) return absl::OkStatus();  // Another one checkpoints, and has synced it.
  if (code != SQLITE_OK) return StatusFromConnection(writer_->handle(), path_);
  if (log_frames >= 0) {
    if (log_vfs_ == nullptr) return absl::OkStatus();
    // There is a log now, and until the connection is closed it stays where it is.
    return sqlite3_file_control(writer_->handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log_) ==
                   SQLITE_OK
               ? absl::OkStatus()
               : StatusFromConnection(writer_->handle(), path_);
  }
  return base::Error(absl::StatusCode::kUnavailable, "DATABASE_NOT_OPENED",
                     absl::StrCat(path_, " was not opened with a write-ahead log; try again"));
}

absl::Status Database::StartCheckpoints() {
  if (!options_.checkpoint_apart || in_memory_ || options_.read_only) return absl::OkStatus();
  ASSIGN_OR_RETURN(checkpointer_, Connection::Open(path_, SQLITE_OPEN_READWRITE, options_.vfs));
  // A connection that has read nothing does not know of the log, and carries nothing over.
  RETURN_IF_ERROR(checkpointer_->ReadText("PRAGMA user_version").status());
  sqlite3_wal_hook(writer_->handle(), &Database::OnCommitted, this);
  checkpoint_thread_ = std::thread([this] { CheckpointWhenGrown(); });
  return absl::OkStatus();
}

// On the thread that writes, after its commit.
int Database::OnCommitted(void* self, sqlite3* writer, const char* schema, int log_pages) {
  Database& database = *static_cast<Database*>(self);
  ++database.logged_commits_;
  const int64_t wanted = database.options_.checkpoint_pages;
  if (log_pages < wanted) return SQLITE_OK;
  if (log_pages >= wanted * kLogBehindMax) {
    // What fails here is tried again, and nothing is lost: the log keeps it.
    sqlite3_wal_checkpoint_v2(writer, schema, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    return SQLITE_OK;
  }
  base::MutexLock lock(database.checkpoint_mutex_);
  database.log_grown_ = true;
  database.log_changed_.NotifyAll();
  return SQLITE_OK;
}

void Database::CheckpointWhenGrown() {
  while (true) {
    {
      base::MutexLock lock(checkpoint_mutex_);
      while (!log_grown_ && !closing_) log_changed_.Wait(checkpoint_mutex_);
      if (closing_) return;
      log_grown_ = false;
    }
    // The commit that comes after all of the log is in the file begins the log again.
    bool whole = false;
    for (int pass = 0; pass < kPassesBesideWriters && !whole; ++pass) {
      const int64_t commits = logged_commits_;
      CarryOver();
      whole = logged_commits_ == commits;
    }
    if (whole) continue;
    base::MutexLock no_writes(write_mutex_);
    CarryOver();
  }
}

// What readers of an earlier state need, and what fails, is left for another time.
void Database::CarryOver() {
  sqlite3_wal_checkpoint_v2(checkpointer_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                            nullptr);
}

absl::StatusOr<int> Database::ReadSchemaVersion() {
  ASSIGN_OR_RETURN(const std::string text, writer_->ReadText("PRAGMA user_version"));
  int version = 0;
  if (!absl::SimpleAtoi(text, &version)) return absl::InternalError("no schema version");
  return version;
}

absl::Status Database::Migrate(absl::Span<const Migration> migrations) {
  const int newest = migrations.empty() ? 0 : migrations.back().version;
  if (!options_.read_only) RETURN_IF_ERROR(writer_->Run(kBeginWrite));
  const RollBack roll_back(*writer_);
  ASSIGN_OR_RETURN(schema_version_, ReadSchemaVersion());
  // An empty list means that the caller takes the schema as it is: a diagnostic tool.
  if (schema_version_ > newest && !migrations.empty()) {
    return base::Error(
        absl::StatusCode::kFailedPrecondition, "SCHEMA_NEWER",
        absl::StrCat(path_, " has schema ", schema_version_, ", this program knows up to ", newest,
                     ": start the newer program again or restore a backup"),
        {{"path", path_},
         {"schema", absl::StrCat(schema_version_)},
         {"known", absl::StrCat(newest)}});
  }
  if (options_.read_only) {
    if (schema_version_ >= newest) return absl::OkStatus();
    return base::Error(absl::StatusCode::kFailedPrecondition, "SCHEMA_OLDER",
                       absl::StrCat(path_, " has schema ", schema_version_, ", needed is ", newest,
                                    ": start the service once to migrate it"));
  }
  if (schema_version_ < newest) {
    for (const Migration& migration : migrations) {
      if (migration.version <= schema_version_) continue;
      const absl::Status applied = writer_->RunScript(migration.sql.text());
      if (!applied.ok()) {
        return base::Annotate(applied, absl::StrCat("migration ", migration.version));
      }
    }
    ASSIGN_OR_RETURN(const std::string orphan, writer_->ReadText("PRAGMA foreign_key_check"));
    if (!orphan.empty()) {
      return base::Error(absl::StatusCode::kFailedPrecondition, "FOREIGN_KEY",
                         absl::StrCat("after migration, rows of ", orphan, " refer to nothing"));
    }
    RETURN_IF_ERROR(writer_->RunScript(absl::StrCat("PRAGMA user_version=", newest)));
    schema_version_ = newest;
  }
  RETURN_IF_ERROR(writer_->Run(kCommit));
  // Only now: a migration that rebuilds a table must not trip over references to it.
  return writer_->RunScript("PRAGMA foreign_keys=ON");
}

absl::StatusOr<std::unique_ptr<Connection>> Database::OpenReader() {
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> reader,
                   Connection::Open(path_, SQLITE_OPEN_READONLY, options_.vfs));
  RETURN_IF_ERROR(reader->RunScript(
      absl::StrCat("PRAGMA busy_timeout=", absl::ToInt64Milliseconds(options_.busy_timeout),
                   "; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA query_only=ON")));
  return reader;
}

absl::StatusOr<std::unique_ptr<Connection>> Database::TakeReader() {
  {
    base::MutexLock lock(readers_mutex_);
    while (idle_readers_.empty() && readers_open_ >= options_.readers_max) {
      reader_returned_.Wait(readers_mutex_);
    }
    if (!idle_readers_.empty()) {
      std::unique_ptr<Connection> reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
    ++readers_open_;
  }
  absl::StatusOr<std::unique_ptr<Connection>> reader = OpenReader();
  if (!reader.ok()) {
    base::MutexLock lock(readers_mutex_);
    --readers_open_;
    reader_returned_.NotifyOne();
  }
  return reader;
}

void Database::ReturnReader(std::unique_ptr<Connection> reader) {
  base::MutexLock lock(readers_mutex_);
  idle_readers_.push_back(std::move(reader));
  reader_returned_.NotifyOne();
}

absl::Status Database::CheckNotNested() const {
  if (writing_thread_.load() != std::this_thread::get_id()) return absl::OkStatus();
  return base::Error(absl::StatusCode::kInternal, "NESTED_USE",
                     "the database is used from inside a function that it runs: use the "
                     "transaction that was passed in");
}

absl::Status Database::RunWrite(absl::FunctionRef<absl::Status(Transaction&)> change) {
  RETURN_IF_ERROR(RunUnsynced(change));
  return log_ == nullptr ? absl::OkStatus() : SyncLog();
}

absl::Status Database::RunUnsynced(absl::FunctionRef<absl::Status(Transaction&)> change) {
  if (options_.read_only) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "DATABASE_READ_ONLY",
                       absl::StrCat(path_, " was opened to be read only"));
  }
  RETURN_IF_ERROR(CheckNotNested());
  base::MutexLock lock(write_mutex_);
  const MarkThread mark(writing_thread_);
  RETURN_IF_ERROR(writer_->Run(kBeginWrite));
  const RollBack roll_back(*writer_);
  Transaction transaction(*writer_);
  RETURN_IF_ERROR(change(transaction));
  if (!writer_->in_transaction()) {
    return base::Error(absl::StatusCode::kAborted, "TRANSACTION_ROLLED_BACK",
                       "a failure has rolled this transaction back; nothing was written");
  }
  return Commit();
}

absl::Status Database::Commit() {
  if (log_ == nullptr) return writer_->Run(kCommit);
  {
    base::MutexLock lock(sync_mutex_);
    ++commits_begun_;
  }
  absl::Status committed;
  {
    const CommitWithoutSync without_sync;
    committed = writer_->Run(kCommit);
  }
  base::MutexLock lock(sync_mutex_);
  ++commits_ended_;  // Also when it failed: there is nothing of it to be seen.
  commit_ended_.NotifyAll();
  return committed;
}

absl::Status Database::SyncLog() {
  if (log_ == nullptr) return absl::OkStatus();
  base::MutexLock one_sync(one_sync_mutex_);
  int64_t ended = 0;
  {
    base::MutexLock lock(sync_mutex_);
    if (!sync_failure_.ok() || commits_synced_ == commits_ended_) return sync_failure_;
    ended = commits_ended_;
  }
  const int code = SyncLogOf(log_);
  base::MutexLock lock(sync_mutex_);
  if (code == SQLITE_OK) {
    commits_synced_ = ended;
  } else {
    // The system tells of pages that it could not write once, and may take them for written then.
    sync_failure_ =
        StatusFromCode(code, absl::StrCat("syncing the log of ", path_), sqlite3_errstr(code));
  }
  return sync_failure_;
}

absl::Status Database::SyncWhatWasSeen() {
  if (log_ == nullptr) return absl::OkStatus();
  {
    base::MutexLock lock(sync_mutex_);
    const int64_t seen = commits_begun_;
    if (commits_synced_ >= seen) return sync_failure_;
    while (commits_ended_ < seen) commit_ended_.Wait(sync_mutex_);
  }
  return SyncLog();
}

absl::Status Database::RunRead(absl::FunctionRef<absl::Status(Reader&)> query) {
  if (options_.before_read) {
    RETURN_IF_ERROR(options_.before_read());
    return RunQuery(query);
  }
  absl::Status status = RunQuery(query);
  // An error may tell of what was seen, too.
  const absl::Status synced = SyncWhatWasSeen();
  return synced.ok() ? status : synced;
}

absl::Status Database::RunQuery(absl::FunctionRef<absl::Status(Reader&)> query) {
  RETURN_IF_ERROR(CheckNotNested());
  if (in_memory_) {
    base::MutexLock lock(write_mutex_);
    const MarkThread mark(writing_thread_);
    return RunReadOn(*writer_, query);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, TakeReader());
  absl::Status status = RunReadOn(*connection, query);
  ReturnReader(std::move(connection));
  return status;
}

absl::Status Database::RunStatement(absl::FunctionRef<absl::Status(Reader&)> query) {
  RETURN_IF_ERROR(CheckNotNested());
  if (in_memory_) return RunQuery(query);
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, TakeReader());
  Reader reader(*connection, /*may_write=*/false, /*in_transaction=*/false);
  absl::Status status = query(reader);
  ReturnReader(std::move(connection));
  return status;
}

absl::Status Database::RunReadOn(Connection& connection,
                                 absl::FunctionRef<absl::Status(Reader&)> query) {
  RETURN_IF_ERROR(connection.Run(kBeginRead));
  const RollBack roll_back(connection);
  Reader reader(connection, /*may_write=*/false);
  return query(reader);
}

absl::Status Database::CheckIntegrity() {
  return RunRead([](Reader& reader) -> absl::Status {
    ASSIGN_OR_RETURN(const std::string finding,
                     reader.connection().ReadText("PRAGMA quick_check(1)"));
    if (finding == "ok") return absl::OkStatus();
    return base::Error(absl::StatusCode::kDataLoss, "DATABASE_CORRUPT", finding);
  });
}

}  // namespace slipway::sqlite
