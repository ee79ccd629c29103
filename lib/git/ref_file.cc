#include "lib/git/ref_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"

namespace slipway::git {
namespace {

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool WriteWhole(int file, absl::string_view text) {
  return write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// History for people: a line that a failure of power takes away is no loss. One write, so that
// lines do not mix.
void AppendReflog(const RefWrite& write) {
  const std::string path = absl::StrCat(write.git_directory, "logs/", write.ref);
  const base::UniqueFd log(open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (log.valid()) WriteWhole(log.get(), write.reflog_line);
}

}  // namespace

RefLock::~RefLock() {
  if (file_ >= 0) close(file_);
  if (!path_.empty()) unlink(path_.c_str());
}

absl::Status RefLock::Take(const std::string& git_directory, const std::string& ref) {
  const std::string path = absl::StrCat(git_directory, ref, ".lock");
  for (const bool again : {true, false}) {
    file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file_ >= 0) break;
    if (errno == EEXIST) return RefLocked(ref);
    if (errno == ENOTDIR) return absl::NotFoundError("a part of the name is a ref");
    if (errno != ENOENT || !again) return base::ErrnoStatus(errno, absl::StrCat("lock ", ref));
    const absl::Status made = base::MakeDirectories(ParentOf(path), 0755);
    if (!made.ok()) return absl::NotFoundError(made.message());
  }
  path_ = path;
  return absl::OkStatus();
}

absl::Status RefLock::Commit(const RefWrite& write) {
  if (!WriteWhole(file_, absl::StrCat(write.target.ToHex(), "\n"))) {
    return base::ErrnoStatus(errno, absl::StrCat("write ", path_));
  }
  if (write.synced && fsync(file_) != 0) {
    return base::ErrnoStatus(errno, absl::StrCat("fsync ", path_));
  }
  if (!write.reflog_line.empty()) AppendReflog(write);
  const std::string path = absl::StrCat(write.git_directory, write.ref);
  if (rename(path_.c_str(), path.c_str()) != 0) {
    if (errno == EISDIR || errno == ENOTEMPTY) {
      return absl::FailedPreconditionError("there are refs below the name");
    }
    return base::ErrnoStatus(errno, absl::StrCat("rename to ", path));
  }
  path_.clear();
  return write.synced ? base::Sync(ParentOf(path)) : absl::OkStatus();
}

}  // namespace slipway::git
