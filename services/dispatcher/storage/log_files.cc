#include "services/dispatcher/storage/log_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/domain/errors.h"

namespace slipway::dispatcher {

absl::StatusOr<std::unique_ptr<LogFiles>> LogFiles::Open(const std::string& directory) {
  RETURN_IF_ERROR(base::MakeDirectories(directory));
  return std::unique_ptr<LogFiles>(new LogFiles(directory));
}

// Names were checked to be made of [a-z0-9-] between slashes.
std::string LogFiles::PathOf(const AttemptKey& attempt) const {
  return absl::StrCat(directory_, "/", attempt.task.plan, "/", attempt.task.id, "/", attempt.epoch,
                      ".log");
}

int64_t LogFiles::Size(const AttemptKey& attempt) const {
  struct stat info;
  return stat(PathOf(attempt).c_str(), &info) == 0 ? info.st_size : 0;
}

absl::Status LogFiles::Append(const AttemptKey& attempt, int64_t offset, absl::string_view data) {
  const std::string path = PathOf(attempt);
  base::MutexLock lock(mutex_);
  RETURN_IF_ERROR(base::MakeDirectories(path.substr(0, path.rfind('/'))));
  const base::UniqueFd file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat info;
  if (!file.valid() || fstat(file.get(), &info) != 0) return base::ErrnoStatus(errno, path);
  if (offset < 0 || offset > info.st_size) return OffsetInvalid(offset, info.st_size);
  data.remove_prefix(std::min(data.size(), static_cast<size_t>(info.st_size - offset)));
  data = data.substr(0, static_cast<size_t>(std::max<int64_t>(0, kLogBytesMax - info.st_size)));
  while (!data.empty()) {
    const ssize_t size = write(file.get(), data.data(), data.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return base::ErrnoStatus(errno, path);
    data.remove_prefix(static_cast<size_t>(size));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> LogFiles::Read(const AttemptKey& attempt, int64_t offset,
                                           size_t size_max) const {
  const std::string path = PathOf(attempt);
  const base::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info = {};
  if (file.valid() && fstat(file.get(), &info) != 0) return base::ErrnoStatus(errno, path);
  if (!file.valid() && errno != ENOENT) return base::ErrnoStatus(errno, path);
  if (offset < 0 || offset > info.st_size) return OffsetInvalid(offset, info.st_size);
  std::string data(std::min(size_max, static_cast<size_t>(info.st_size - offset)), '\0');
  if (data.empty()) return data;
  const ssize_t size = pread(file.get(), data.data(), data.size(), offset);
  if (size < 0) return base::ErrnoStatus(errno, path);
  data.resize(static_cast<size_t>(size));
  return data;
}

}  // namespace slipway::dispatcher
