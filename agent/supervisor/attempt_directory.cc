#include "agent/supervisor/attempt_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/sandbox/workspace.h"
#include "lib/sandbox/workspace_lock.h"

namespace slipway::agent {
namespace {

// Searchable, so that the sandbox's user gets to what is bound, but not to be listed.
constexpr mode_t kSearchable = 0711;

absl::Status MakeDirectory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0) return base::ErrnoStatus(errno, path);
  if (chmod(path.c_str(), mode) != 0) return base::ErrnoStatus(errno, path);  // Past the umask.
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AttemptDirectory> AttemptDirectory::Create(const std::string& parent,
                                                          base::IdGenerator& ids) {
  RETURN_IF_ERROR(base::MakeDirectories(parent, kSearchable));
  const std::string path = parent + "/" + ids.NewId("a");
  ASSIGN_OR_RETURN(base::UniqueFd lock, sandbox::LockWorkspace(path));
  AttemptDirectory directory(path, std::move(lock));
  RETURN_IF_ERROR(MakeDirectory(path, kSearchable));
  RETURN_IF_ERROR(MakeDirectory(directory.run(), kSearchable));
  return directory;
}

AttemptDirectory::~AttemptDirectory() {
  if (!lock_.valid()) return;
  const absl::Status removed = sandbox::RemoveWorkspace(path_);
  if (!removed.ok()) {
    // The lock file stays, for the next sweep.
    log::Warning("an attempt's files were not removed", {{"error", removed.message()}});
    return;
  }
  unlink((path_ + ".lock").c_str());
}

absl::StatusOr<AttemptDirectory> AttemptDirectory::Nested(absl::string_view name) const {
  AttemptDirectory nested(absl::StrCat(path_, "/", name), base::UniqueFd());
  RETURN_IF_ERROR(sandbox::RemoveWorkspace(nested.path_));
  RETURN_IF_ERROR(MakeDirectory(nested.path_, kSearchable));
  return nested;
}

absl::Status AttemptDirectory::ClearWorkspace() { return sandbox::RemoveWorkspace(workspace()); }

}  // namespace slipway::agent
