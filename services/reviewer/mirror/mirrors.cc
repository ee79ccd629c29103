#include "services/reviewer/mirror/mirrors.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "services/reviewer/domain/errors.h"

namespace slipway::reviewer {

absl::StatusOr<std::unique_ptr<Mirrors>> Mirrors::Open(const std::string& directory) {
  RETURN_IF_ERROR(base::MakeDirectories(directory));
  ASSIGN_OR_RETURN(base::UniqueFd lock, base::LockFile(absl::StrCat(directory, "/owner.lock")));
  std::unique_ptr<Mirrors> mirrors(new Mirrors(directory, std::move(lock)));
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error), end;
  base::MutexLock hold(mirrors->mutex_);
  for (; !error && entries != end; entries.increment(error)) {
    const std::string path = entries->path().string();
    if (absl::EndsWith(path, ".git")) RETURN_IF_ERROR(mirrors->Take(path));
  }
  if (error) return base::ErrnoStatus(error.value(), absl::StrCat("list ", directory));
  return mirrors;
}

std::string Mirrors::PathOf(const std::string& project_id) const {
  return absl::StrCat(directory_, "/", project_id, ".git");
}

absl::Status Mirrors::Take(const std::string& path) {
  if (owned_.contains(path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(base::UniqueFd owner, git::Repository::LockOwner(path));
  ASSIGN_OR_RETURN(const int swept, git::Repository::SweepStale(path, owner));
  if (swept > 0) log::Warning("removed what a killed writer left", {{"files", swept}});
  owned_.emplace(path, std::move(owner));
  return absl::OkStatus();
}

absl::StatusOr<git::Repository> Mirrors::Find(const std::string& project_id) {
  const std::string path = PathOf(project_id);
  {
    base::MutexLock lock(mutex_);
    if (!owned_.contains(path)) return ProjectUnknown(absl::StrCat("projects/", project_id));
  }
  return git::Repository::OpenBare(path);
}

absl::StatusOr<git::Repository> Mirrors::FindOrMake(const std::string& project_id) {
  const std::string path = PathOf(project_id);
  base::MutexLock lock(mutex_);
  if (!owned_.contains(path)) {
    ASSIGN_OR_RETURN(const git::Repository made, git::Repository::InitBare(path, {}));
    RETURN_IF_ERROR(Take(path));
  }
  return git::Repository::OpenBare(path);
}

base::Mutex& Mirrors::FetchMutex(const std::string& project_id) {
  base::MutexLock lock(mutex_);
  std::unique_ptr<base::Mutex>& mutex = fetches_[project_id];
  if (mutex == nullptr) mutex = std::make_unique<base::Mutex>();
  return *mutex;
}

}  // namespace slipway::reviewer
