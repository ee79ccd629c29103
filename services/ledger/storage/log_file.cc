#include "services/ledger/storage/log_file.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/sqlite/result_code.h"

namespace slipway::ledger {
namespace {

// SQLite's Unix files cannot write 128 KiB or more at once: they look at 17 bits of the size.
constexpr size_t kWriteBytesMax = 64 << 10;

absl::Status CodeStatus(int code, absl::string_view path, absl::string_view what) {
  if (code == SQLITE_OK) return absl::OkStatus();
  return sqlite::StatusFromCode(code, absl::StrCat(what, " ", path.data()), sqlite3_errstr(code));
}

absl::StatusOr<std::string> FullPath(sqlite3_vfs* vfs, const std::string& path) {
  std::vector<char> full(static_cast<size_t>(vfs->mxPathname) + 1);
  const int code =
      vfs->xFullPathname(vfs, path.c_str(), static_cast<int>(full.size()), full.data());
  // A link on the way to it is no error.
  if (code != SQLITE_OK && code != SQLITE_OK_SYMLINK) return CodeStatus(code, path, "finding");
  return std::string(full.data());
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::Open(const std::string& path, const char* vfs) {
  return OpenWith(path, vfs, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::OpenToRead(const std::string& path,
                                                             const char* vfs) {
  return OpenWith(path, vfs, SQLITE_OPEN_READONLY);
}

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::OpenWith(const std::string& path, const char* vfs,
                                                           int flags) {
  sqlite3_vfs* const found = sqlite3_vfs_find(vfs);
  if (found == nullptr) return CodeStatus(SQLITE_NOTFOUND, path, "opening");
  std::unique_ptr<LogFile> log(new LogFile);
  ASSIGN_OR_RETURN(log->path_, FullPath(found, path));
  log->path_.append(3, '\0');
  log->place_ = std::make_unique<char[]>(static_cast<size_t>(found->szOsFile));
  auto* const file = reinterpret_cast<sqlite3_file*>(log->place_.get());
  // What SQLite calls the log that a database needs after a crash.
  const int code =
      found->xOpen(found, log->path_.c_str(), file, flags | SQLITE_OPEN_MAIN_JOURNAL, nullptr);
  if (code != SQLITE_OK) {
    if (file->pMethods != nullptr) file->pMethods->xClose(file);
    return CodeStatus(code, path, "opening");
  }
  log->file_ = file;
  return log;
}

absl::StatusOr<bool> LogFile::Exists(const std::string& path, const char* vfs) {
  sqlite3_vfs* const found = sqlite3_vfs_find(vfs);
  int exists = 0;
  RETURN_IF_ERROR(CodeStatus(found->xAccess(found, path.c_str(), SQLITE_ACCESS_EXISTS, &exists),
                             path, "looking for"));
  return exists != 0;
}

absl::Status LogFile::Delete(const std::string& path, const char* vfs) {
  sqlite3_vfs* const found = sqlite3_vfs_find(vfs);
  return CodeStatus(found->xDelete(found, path.c_str(), /*syncDir=*/1), path, "deleting");
}

LogFile::~LogFile() {
  if (file_ != nullptr) file_->pMethods->xClose(file_);
}

absl::Status LogFile::StatusOf(int code, absl::string_view what) const {
  return CodeStatus(code, path_.c_str(), what);
}

absl::StatusOr<int64_t> LogFile::Size() {
  if (file_ == nullptr) return static_cast<int64_t>(memory_.size());
  sqlite3_int64 size = 0;
  RETURN_IF_ERROR(StatusOf(file_->pMethods->xFileSize(file_, &size), "measuring"));
  return size;
}

absl::StatusOr<std::string> LogFile::ReadAll() {
  if (file_ == nullptr) return memory_;
  ASSIGN_OR_RETURN(const int64_t size, Size());
  std::string bytes(static_cast<size_t>(size), '\0');
  for (size_t at = 0; at < bytes.size(); at += kWriteBytesMax) {
    const int length = static_cast<int>(std::min(kWriteBytesMax, bytes.size() - at));
    RETURN_IF_ERROR(StatusOf(
        file_->pMethods->xRead(file_, bytes.data() + at, length, static_cast<sqlite3_int64>(at)),
        "reading"));
  }
  return bytes;
}

absl::Status LogFile::Write(int64_t offset, absl::string_view bytes) {
  if (file_ == nullptr) {
    const size_t end = static_cast<size_t>(offset) + bytes.size();
    if (memory_.size() < end) memory_.resize(end, '\0');
    std::copy(bytes.begin(), bytes.end(), memory_.begin() + offset);
    return absl::OkStatus();
  }
  for (size_t at = 0; at < bytes.size(); at += kWriteBytesMax) {
    const int length = static_cast<int>(std::min(kWriteBytesMax, bytes.size() - at));
    RETURN_IF_ERROR(StatusOf(file_->pMethods->xWrite(file_, bytes.data() + at, length,
                                                     offset + static_cast<int64_t>(at)),
                             "writing"));
  }
  return absl::OkStatus();
}

absl::Status LogFile::Truncate(int64_t size) {
  if (file_ == nullptr) {
    memory_.resize(static_cast<size_t>(size));
    return absl::OkStatus();
  }
  return StatusOf(file_->pMethods->xTruncate(file_, size), "cutting");
}

absl::Status LogFile::Sync() {
  if (file_ == nullptr) return absl::OkStatus();
  return StatusOf(file_->pMethods->xSync(file_, SQLITE_SYNC_NORMAL), "syncing");
}

}  // namespace slipway::ledger
