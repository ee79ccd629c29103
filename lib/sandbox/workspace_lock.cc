#include "lib/sandbox/workspace_lock.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/sandbox/workspace.h"

namespace slipway::sandbox {
namespace {

constexpr char kLockSuffix[] = ".lock";
// Each lost to one sweep that came between the making of the file and its lock.
constexpr int kLockTriesMax = 10;

bool Names(const std::string& path, int fd) {
  struct stat named, held;
  return lstat(path.c_str(), &named) == 0 && fstat(fd, &held) == 0 && named.st_dev == held.st_dev &&
         named.st_ino == held.st_ino;
}

}  // namespace

absl::StatusOr<base::UniqueFd> LockWorkspace(const std::string& workspace) {
  const std::string path = workspace + kLockSuffix;
  for (int i = 0;; ++i) {
    absl::StatusOr<base::UniqueFd> lock = base::LockFile(path);
    const bool held = lock.ok() && Names(path, lock->get());
    if (held) return lock;
    // A sweep has or had it for a moment: before the lock there was nothing that is in use.
    const bool passing = lock.ok() || base::ReasonOf(lock.status()) == "LOCKED";
    if (!passing) return lock.status();
    if (i + 1 == kLockTriesMax) {
      return base::Error(absl::StatusCode::kFailedPrecondition, "LOCKED",
                         absl::StrCat(path, " is held by another process"), {{"path", path}});
    }
  }
}

absl::StatusOr<Swept> SweepWorkspaces(const std::string& parent) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(parent.c_str()), closedir);
  if (directory == nullptr) {
    if (errno == ENOENT) return Swept();
    return base::ErrnoStatus(errno, parent);
  }
  std::vector<std::string> names;
  while (const dirent* const entry = readdir(directory.get())) {
    if (absl::EndsWith(entry->d_name, kLockSuffix)) names.push_back(entry->d_name);
  }
  Swept swept;
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(parent, "/", name);
    struct stat status;
    if (lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const absl::StatusOr<base::UniqueFd> lock = base::LockFile(path);
    if (!lock.ok()) continue;  // Its owner lives, or another one sweeps.
    if (!Names(path, lock->get())) continue;
    const absl::Status removed = RemoveWorkspace(std::string(absl::StripSuffix(path, kLockSuffix)));
    if (!removed.ok()) {
      swept.problem = std::string(removed.message());
      continue;
    }
    unlink(path.c_str());
    ++swept.removed;
  }
  return swept;
}

}  // namespace slipway::sandbox
