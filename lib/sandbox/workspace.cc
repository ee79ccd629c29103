#include "lib/sandbox/workspace.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/sandbox/errors.h"

namespace slipway::sandbox {
namespace {

// Each level holds one descriptor open.
constexpr int kPrepareDepthMax = 128;
constexpr int kRemoveDepthMax = 32;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

absl::StatusOr<std::vector<std::string>> Names(int directory) {
  const int copy = fcntl(directory, F_DUPFD_CLOEXEC, 0);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(copy), closedir);
  if (stream == nullptr) return base::ErrnoStatus(errno, "list a workspace directory");
  rewinddir(stream.get());
  std::vector<std::string> names;
  while (const dirent* const entry = readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

absl::Status Give(int parent, const std::string& name, uid_t uid, gid_t gid, int depth) {
  if (depth > kPrepareDepthMax) return WorkspaceUnsafe("the workspace is nested too deeply");
  // By descriptor, so that what is examined is what is given away.
  const base::UniqueFd entry(openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!entry.valid()) return base::ErrnoStatus(errno, name);
  struct stat status;
  if (fstat(entry.get(), &status) != 0) return base::ErrnoStatus(errno, name);
  if (!S_ISDIR(status.st_mode) && status.st_uid != uid && status.st_nlink > 1) {
    return WorkspaceUnsafe(absl::StrCat("'", name, "' in the workspace has further hard links"));
  }
  if ((status.st_uid != uid || status.st_gid != gid) &&
      fchownat(entry.get(), "", uid, gid, AT_EMPTY_PATH) != 0) {
    return base::ErrnoStatus(errno, absl::StrCat("chown ", name));
  }
  if (!S_ISDIR(status.st_mode)) return absl::OkStatus();
  const base::UniqueFd directory(openat(entry.get(), ".", kOpenDirectory));
  if (!directory.valid()) return base::ErrnoStatus(errno, name);
  ASSIGN_OR_RETURN(const std::vector<std::string> names, Names(directory.get()));
  for (const std::string& child : names) {
    RETURN_IF_ERROR(Give(directory.get(), child, uid, gid, depth + 1));
  }
  return absl::OkStatus();
}

// Empties one workspace.
class Remover final {
 public:
  explicit Remover(int top) : top_(top) {}

  absl::Status Empty(int directory, int depth) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, Names(directory));
    for (const std::string& name : names) RETURN_IF_ERROR(Remove(directory, name, depth));
    return absl::OkStatus();
  }

  // Whether directories were moved to the top, to be emptied in another round.
  bool moved() const { return moved_; }
  void StartRound() { moved_ = false; }

 private:
  absl::Status Remove(int parent, const std::string& name, int depth) {
    if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
    if (errno != EISDIR && errno != EPERM) return base::ErrnoStatus(errno, name);
    base::UniqueFd directory(openat(parent, name.c_str(), kOpenDirectory));
    if (!directory.valid() && errno == EACCES) {
      if (fchmodat(parent, name.c_str(), 0700, 0) == 0) {
        directory = base::UniqueFd(openat(parent, name.c_str(), kOpenDirectory));
      }
    }
    if (!directory.valid()) return base::ErrnoStatus(errno, name);
    if (geteuid() != 0) fchmod(directory.get(), 0700);
    if (depth >= kRemoveDepthMax) return MoveUp(parent, name);
    RETURN_IF_ERROR(Empty(directory.get(), depth + 1));
    if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0) return absl::OkStatus();
    return base::ErrnoStatus(errno, name);
  }

  absl::Status MoveUp(int parent, const std::string& name) {
    moved_ = true;
    const std::string above = absl::StrCat(".removed-", ++moves_);
    if (renameat(parent, name.c_str(), top_, above.c_str()) == 0) return absl::OkStatus();
    if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) {
      return base::ErrnoStatus(errno, name);
    }
    return MoveUp(parent, name);  // The name was taken: each attempt uses another one.
  }

  const int top_;
  int64_t moves_ = 0;
  bool moved_ = false;
};

}  // namespace

absl::Status PrepareWorkspace(const std::string& directory, uid_t uid, gid_t gid) {
  if (geteuid() != 0) return absl::OkStatus();
  if (uid == 0 || gid == 0) return SandboxSpecInvalid("the sandbox's user must not be root");
  const base::UniqueFd top(open(directory.c_str(), kOpenDirectory));
  if (!top.valid()) return base::ErrnoStatus(errno, directory);
  return Give(top.get(), ".", uid, gid, 0);
}

absl::Status RemoveWorkspace(const std::string& directory) {
  const base::UniqueFd top(open(directory.c_str(), kOpenDirectory));
  if (!top.valid()) {
    return errno == ENOENT ? absl::OkStatus() : base::ErrnoStatus(errno, directory);
  }
  if (geteuid() != 0) fchmod(top.get(), 0700);
  Remover remover(top.get());
  do {
    remover.StartRound();
    RETURN_IF_ERROR(remover.Empty(top.get(), 0));
  } while (remover.moved());
  if (rmdir(directory.c_str()) != 0) return base::ErrnoStatus(errno, directory);
  return absl::OkStatus();
}

}  // namespace slipway::sandbox
