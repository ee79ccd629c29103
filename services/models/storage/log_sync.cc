#include "services/models/storage/log_sync.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"

namespace slipway::models {

absl::Status LogSync::Sync() {
  if (database_ == ":memory:") return absl::OkStatus();
  base::MutexLock lock(mutex_);
  const int64_t needed = begun_ + 1;  // One under way may have passed our pages already.
  while (failure_.ok() && ended_ < needed) {
    if (syncing_) {
      changed_.Wait(mutex_);
      continue;
    }
    syncing_ = true;
    ++begun_;
    mutex_.Unlock();
    const absl::Status synced = SyncNow();
    mutex_.Lock();
    syncing_ = false;
    ended_ = begun_;
    failure_ = synced;
    changed_.NotifyAll();
  }
  return failure_;
}

// SQLite takes its locks on other files than the log, so that closing this one drops none.
absl::Status LogSync::SyncNow() {
  if (log_.get() < 0) {
    const std::string path = absl::StrCat(database_, "-wal");
    log_ = base::UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (log_.get() < 0) return base::ErrnoStatus(errno, absl::StrCat("cannot open ", path));
    const size_t slash = database_.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : database_.substr(0, slash + 1);
    const base::UniqueFd parent(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent.get() < 0 || fsync(parent.get()) != 0) {
      return base::ErrnoStatus(errno, absl::StrCat("cannot sync ", directory));
    }
  }
  if (fdatasync(log_.get()) != 0) {
    return base::ErrnoStatus(errno, absl::StrCat("cannot sync the log of ", database_));
  }
  return absl::OkStatus();
}

}  // namespace slipway::models
