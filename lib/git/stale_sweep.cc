#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/repository.h"

namespace slipway::git {
namespace {

namespace fs = std::filesystem;

constexpr char kOwnerLock[] = "slipway-owner.flock";

// A ref that was not synced before the power failed: a file without content.
bool IsCutOff(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(fs::symlink_status(file, error)) || error) return false;
  const absl::StatusOr<std::string> content = base::ReadFile(file.string(), 1'024);
  return content.ok() && (content->empty() || content->front() == '\0');
}

// `path` is relative to the repository. Below refs/ anything but a lock may be a ref's name.
bool IsStale(const fs::path& repository, const fs::path& path) {
  const std::string name = path.filename().string();
  if (absl::EndsWith(name, ".lock")) return true;
  if (*path.begin() == "refs") return IsCutOff(repository / path);
  if (*path.begin() != "objects") return false;
  for (const char* prefix : {"pack_git2_", "tmp_pack_", "tmp_idx_", "tmp_rev_", "tmp_obj_",
                             "incoming-", "tmp_objdir-"}) {
    if (absl::StartsWith(name, prefix)) return true;
  }
  // libgit2 puts the index in place before the pack.
  return path.extension() == ".idx" && !fs::exists((repository / path).replace_extension(".pack"));
}

}  // namespace

absl::StatusOr<base::UniqueFd> Repository::LockOwner(const std::string& path) {
  RETURN_IF_ERROR(OpenBare(path).status());
  return base::LockFile(absl::StrCat(path, "/", kOwnerLock));
}

absl::StatusOr<int> Repository::SweepStale(const std::string& path, const base::UniqueFd& owner) {
  if (!owner.valid()) return absl::FailedPreconditionError("sweeping needs the owner's lock");
  std::vector<fs::path> stale;
  std::error_code error;
  fs::recursive_directory_iterator walk(path, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (!IsStale(path, walk->path().lexically_relative(path))) continue;
    stale.push_back(walk->path());
    walk.disable_recursion_pending();
  }
  if (error) return base::ErrnoStatus(error.value(), absl::StrCat("list ", path));
  for (const fs::path& entry : stale) RETURN_IF_ERROR(base::RemoveTree(entry.string()));
  return static_cast<int>(stale.size());
}

}  // namespace slipway::git
