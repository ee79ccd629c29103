#pragma once

#include <sqlite3.h>

#include <string>

namespace slipway::sqlite {

// A VFS, registered while it lives, that is another one but for write-ahead logs.
//
// SQLite writes two pieces for each page of a commit; here they gather in memory and are written
// together before the log is synced, read or changed in any other way. What a power failure or a
// kill can lose is what it could lose before: pieces that no sync has followed.
//
// Only for connections that sync with each commit (PRAGMA synchronous=FULL): others would tell
// readers of pages that are not in the file yet. Thread-safe.
class LogVfs final {
 public:
  // `base` is the name of a registered VFS, which must outlive this one; null is the system's.
  explicit LogVfs(const char* base);
  ~LogVfs();
  LogVfs(const LogVfs&) = delete;
  LogVfs& operator=(const LogVfs&) = delete;

  const char* name() const { return name_.c_str(); }

 private:
  static int Open(sqlite3_vfs* self, const char* name, sqlite3_file* file, int flags, int* out);

  const std::string name_;
  sqlite3_vfs* const base_;
  struct Registered {
    sqlite3_vfs vfs;  // First: SQLite passes its address.
    LogVfs* owner;
  } registered_;
};

// While it lives, the sync of the log that ends a commit on this thread writes the log and leaves
// the sync to SyncLogOf. The syncs that keep a database whole, which are those before pages are
// carried over and after a log is begun again, are made all the same.
class CommitWithoutSync final {
 public:
  CommitWithoutSync();
  ~CommitWithoutSync();
  CommitWithoutSync(const CommitWithoutSync&) = delete;
  CommitWithoutSync& operator=(const CommitWithoutSync&) = delete;
};

// Syncs all that is in a log which a LogVfs opened, and returns SQLite's result code. From any
// thread, also while another one commits.
int SyncLogOf(sqlite3_file* log);

}  // namespace slipway::sqlite
