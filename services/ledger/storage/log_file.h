#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::ledger {

// One file through the methods of a VFS of SQLite, so that it fails where and as the database
// beside it does; or memory. Errors are those of sqlite/result_code.h. Not thread-safe.
class LogFile final {
 public:
  // `vfs` is the name of a registered one that outlives the file; null is the system's. The file
  // gets the mode of the one beside it whose name is `path` up to its last '-'.
  static absl::StatusOr<std::unique_ptr<LogFile>> Open(const std::string& path, const char* vfs);
  // As Open, of a file that must exist; it is never written.
  static absl::StatusOr<std::unique_ptr<LogFile>> OpenToRead(const std::string& path,
                                                             const char* vfs);
  static std::unique_ptr<LogFile> InMemory() { return std::unique_ptr<LogFile>(new LogFile); }
  static absl::StatusOr<bool> Exists(const std::string& path, const char* vfs);
  // Also from the directory on disk. The file is not open.
  static absl::Status Delete(const std::string& path, const char* vfs);

  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  absl::StatusOr<std::string> ReadAll();
  absl::StatusOr<int64_t> Size();
  absl::Status Write(int64_t offset, absl::string_view bytes);
  absl::Status Truncate(int64_t size);
  // The first sync of a file makes its name durable, too.
  absl::Status Sync();

 private:
  LogFile() = default;
  static absl::StatusOr<std::unique_ptr<LogFile>> OpenWith(const std::string& path, const char* vfs,
                                                           int flags);
  absl::Status StatusOf(int code, absl::string_view what) const;

  std::string path_;  // As SQLite wants it: absolute, and followed by more than one zero.
  std::string memory_;
  std::unique_ptr<char[]> place_;  // Of the VFS's own size.
  sqlite3_file* file_ = nullptr;   // Null: the content is in `memory_`.
};

}  // namespace slipway::ledger
