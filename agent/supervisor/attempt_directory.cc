#include "agent/supervisor/attempt_directory.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/sandbox/workspace.h"

namespace slipway::agent {
namespace {

constexpr char kLockSuffix[] = ".lock";
// Searchable, so that the sandbox's user gets to what is bound, but not to be listed.
constexpr mode_t kSearchable = 0711;

absl::Status MakeDirectory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0) return base::ErrnoStatus(errno, path);
  if (chmod(path.c_str(), mode) != 0) return base::ErrnoStatus(errno, path);  // Past the umask.
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> LockFiles(const std::string& parent) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(parent.c_str()), closedir);
  if (directory == nullptr) return base::ErrnoStatus(errno, parent);
  std::vector<std::string> names;
  while (const dirent* const entry = readdir(directory.get())) {
    if (absl::EndsWith(entry->d_name, kLockSuffix)) names.push_back(entry->d_name);
  }
  return names;
}

}  // namespace

absl::StatusOr<AttemptDirectory> AttemptDirectory::Create(const std::string& parent,
                                                          base::IdGenerator& ids) {
  RETURN_IF_ERROR(base::MakeDirectories(parent, kSearchable));
  const std::string path = parent + "/" + ids.NewId("a");
  ASSIGN_OR_RETURN(base::UniqueFd lock, base::LockFile(path + kLockSuffix));
  AttemptDirectory directory(path, std::move(lock));
  RETURN_IF_ERROR(MakeDirectory(path, kSearchable));
  RETURN_IF_ERROR(MakeDirectory(directory.run(), kSearchable));
  return directory;
}

absl::StatusOr<int> AttemptDirectory::Sweep(const std::string& parent) {
  RETURN_IF_ERROR(base::MakeDirectories(parent, kSearchable));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, LockFiles(parent));
  int swept = 0;
  for (const std::string& name : names) {
    const std::string lock_path = parent + "/" + name;
    const absl::StatusOr<base::UniqueFd> lock = base::LockFile(lock_path);
    if (!lock.ok()) continue;  // Its agent lives.
    const std::string path(absl::StripSuffix(lock_path, kLockSuffix));
    RETURN_IF_ERROR(sandbox::RemoveWorkspace(path));
    unlink(lock_path.c_str());
    ++swept;
  }
  return swept;
}

AttemptDirectory::~AttemptDirectory() {
  if (!lock_.valid()) return;
  const absl::Status removed = sandbox::RemoveWorkspace(path_);
  if (!removed.ok()) {
    // The lock file stays, for the next agent to sweep.
    log::Warning("an attempt's files were not removed", {{"error", removed.message()}});
    return;
  }
  unlink((path_ + kLockSuffix).c_str());
}

absl::Status AttemptDirectory::ClearWorkspace() { return sandbox::RemoveWorkspace(workspace()); }

}  // namespace slipway::agent
