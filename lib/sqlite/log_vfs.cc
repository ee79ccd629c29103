#include "lib/sqlite/log_vfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace slipway::sqlite {
namespace {

// What a log may gather: some batches, and less than would show in the memory of a service.
constexpr size_t kGatheredMax = 1 << 20;
// SQLite's Unix files cannot write 128 KiB or more at once: they look at 17 bits of the size.
constexpr size_t kPieceMax = 64 << 10;
// The disk is given so much at once, while nobody waits for it: a sync that comes later finds
// little to write, and others who sync meanwhile are kept waiting for less than a millisecond.
constexpr sqlite3_int64 kAheadBytes = 256 << 10;

thread_local bool next_sync_is_left_out = false;

// SQLite's own memory, with the file of the VFS below behind it.
struct LogFile {
  sqlite3_file base;
  std::string* gathered;  // The bytes from `begin` on that are not in the file yet.
  sqlite3_int64 begin;
  int ahead;                  // A descriptor of the file; -1 where it is none of the system's.
  sqlite3_int64 ahead_begin;  // What was written from here to `ahead_end` waits for a sync.
  sqlite3_int64 ahead_end;
};

LogFile& LogOf(sqlite3_file* file) { return *reinterpret_cast<LogFile*>(file); }

sqlite3_file* Real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(LogFile));
}

// Lets the disk begin with what was written. Promises nothing: syncs do that.
void WriteAhead(LogFile& log, sqlite3_int64 end) {
  if (log.ahead < 0) return;
  if (log.begin != log.ahead_end) log.ahead_begin = log.begin;
  log.ahead_end = end;
  if (end - log.ahead_begin < kAheadBytes) return;
  (void)!sync_file_range(log.ahead, log.ahead_begin, end - log.ahead_begin, SYNC_FILE_RANGE_WRITE);
  log.ahead_begin = end;
}

int Flush(sqlite3_file* file) {
  LogFile& log = LogOf(file);
  if (log.gathered->empty()) return SQLITE_OK;
  int code = SQLITE_OK;
  for (size_t at = 0; at < log.gathered->size() && code == SQLITE_OK; at += kPieceMax) {
    const size_t size = std::min(kPieceMax, log.gathered->size() - at);
    code =
        Real(file)->pMethods->xWrite(Real(file), log.gathered->data() + at, static_cast<int>(size),
                                     log.begin + static_cast<sqlite3_int64>(at));
  }
  if (code == SQLITE_OK) {
    WriteAhead(log, log.begin + static_cast<sqlite3_int64>(log.gathered->size()));
  }
  // Also after an error: its transaction fails, and SQLite writes anew what comes after it.
  log.gathered->clear();
  return code;
}

int Close(sqlite3_file* file) {
  const int flushed = Flush(file);
  delete LogOf(file).gathered;
  if (LogOf(file).ahead >= 0) close(LogOf(file).ahead);
  const int closed = Real(file)->pMethods->xClose(Real(file));
  return flushed != SQLITE_OK ? flushed : closed;
}

int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  const int code = Flush(file);
  return code != SQLITE_OK ? code : Real(file)->pMethods->xRead(Real(file), to, size, offset);
}

int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  LogFile& log = LogOf(file);
  const sqlite3_int64 end = log.begin + static_cast<sqlite3_int64>(log.gathered->size());
  if (offset != end || log.gathered->size() + static_cast<size_t>(size) > kGatheredMax) {
    const int code = Flush(file);
    if (code != SQLITE_OK) return code;
  }
  if (log.gathered->empty()) log.begin = offset;
  log.gathered->append(static_cast<const char*>(from), static_cast<size_t>(size));
  return SQLITE_OK;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const int code = Flush(file);
  return code != SQLITE_OK ? code : Real(file)->pMethods->xTruncate(Real(file), size);
}

int Sync(sqlite3_file* file, int flags) {
  // A new header must be on disk before the pages behind it, or old pages could follow it.
  const LogFile& log = LogOf(file);
  const bool begins_log = !log.gathered->empty() && log.begin == 0;
  const int code = Flush(file);
  if (code != SQLITE_OK) return code;
  if (next_sync_is_left_out && !begins_log) {
    next_sync_is_left_out = false;
    return SQLITE_OK;
  }
  return Real(file)->pMethods->xSync(Real(file), flags);
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  const int code = Flush(file);
  return code != SQLITE_OK ? code : Real(file)->pMethods->xFileSize(Real(file), size);
}

int Lock(sqlite3_file* file, int level) { return Real(file)->pMethods->xLock(Real(file), level); }

int Unlock(sqlite3_file* file, int level) {
  return Real(file)->pMethods->xUnlock(Real(file), level);
}

int CheckReservedLock(sqlite3_file* file, int* reserved) {
  return Real(file)->pMethods->xCheckReservedLock(Real(file), reserved);
}

int FileControl(sqlite3_file* file, int operation, void* argument) {
  const int code = Flush(file);
  return code != SQLITE_OK ? code
                           : Real(file)->pMethods->xFileControl(Real(file), operation, argument);
}

int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }

int DeviceCharacteristics(sqlite3_file* file) {
  return Real(file)->pMethods->xDeviceCharacteristics(Real(file));
}

constexpr sqlite3_io_methods kLogMethods = {.iVersion = 1,
                                            .xClose = Close,
                                            .xRead = Read,
                                            .xWrite = Write,
                                            .xTruncate = Truncate,
                                            .xSync = Sync,
                                            .xFileSize = FileSize,
                                            .xLock = Lock,
                                            .xUnlock = Unlock,
                                            .xCheckReservedLock = CheckReservedLock,
                                            .xFileControl = FileControl,
                                            .xSectorSize = SectorSize,
                                            .xDeviceCharacteristics = DeviceCharacteristics};

}  // namespace

LogVfs::LogVfs(const char* base)
    : name_(absl::StrCat("slipway-log", base == nullptr ? "" : "-over-",
                         base == nullptr ? "" : base)),
      base_(sqlite3_vfs_find(base)),
      registered_{.vfs = *base_, .owner = this} {
  sqlite3_vfs& vfs = registered_.vfs;
  vfs.zName = name_.c_str();
  vfs.pNext = nullptr;
  vfs.szOsFile = static_cast<int>(sizeof(LogFile)) + base_->szOsFile;
  vfs.xOpen = Open;
  sqlite3_vfs_register(&vfs, /*makeDflt=*/0);
}

LogVfs::~LogVfs() { sqlite3_vfs_unregister(&registered_.vfs); }

// All other files are those of the VFS below.
int LogVfs::Open(sqlite3_vfs* self, const char* name, sqlite3_file* file, int flags, int* out) {
  sqlite3_vfs* const base = reinterpret_cast<Registered*>(self)->owner->base_;
  if ((flags & SQLITE_OPEN_WAL) == 0) return base->xOpen(base, name, file, flags, out);
  std::memset(file, 0, sizeof(LogFile));
  auto* const gathered = new (std::nothrow) std::string();
  if (gathered == nullptr) return SQLITE_NOMEM;
  gathered->reserve(kGatheredMax);  // Writes then cannot fail for want of memory.
  const int code = base->xOpen(base, name, Real(file), flags, out);
  if (code != SQLITE_OK) {  // Without methods SQLite does not close it.
    if (Real(file)->pMethods != nullptr) Real(file)->pMethods->xClose(Real(file));
    delete gathered;
    return code;
  }
  LogFile& log = LogOf(file);
  log.base.pMethods = &kLogMethods;
  log.gathered = gathered;
  // SQLite locks other files than logs, so that closing this descriptor undoes no lock.
  const bool of_system = absl::StartsWith(base->zName, "unix");
  log.ahead = of_system ? open(name, O_RDWR | O_CLOEXEC) : -1;
  return SQLITE_OK;
}

CommitWithoutSync::CommitWithoutSync() { next_sync_is_left_out = true; }
CommitWithoutSync::~CommitWithoutSync() { next_sync_is_left_out = false; }

int SyncLogOf(sqlite3_file* log) {
  return Real(log)->pMethods->xSync(Real(log), SQLITE_SYNC_NORMAL);
}

}  // namespace slipway::sqlite
