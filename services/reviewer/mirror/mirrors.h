#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/git/repository.h"

namespace slipway::reviewer {

// The bare repositories of all projects below one directory, which this process owns: another one
// that opens it fails with LOCKED. Thread-safe; hand out one repository handle for each request.
class Mirrors final {
 public:
  // Takes the directory, and removes what a killed owner left in its repositories.
  static absl::StatusOr<std::unique_ptr<Mirrors>> Open(const std::string& directory);

  // The mirror of a project; ProjectUnknown when there is none.
  absl::StatusOr<git::Repository> Find(const std::string& project_id);

  // The mirror of a project, made if needed.
  absl::StatusOr<git::Repository> FindOrMake(const std::string& project_id);

  // Holds off other fetches into the mirror of a project: git locks the refs that it fetches.
  base::Mutex& FetchMutex(const std::string& project_id);

 private:
  Mirrors(std::string directory, base::UniqueFd lock)
      : directory_(std::move(directory)), lock_(std::move(lock)) {}

  std::string PathOf(const std::string& project_id) const;
  absl::Status Take(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string directory_;
  const base::UniqueFd lock_;
  base::Mutex mutex_;
  std::map<std::string, base::UniqueFd> owned_ ABSL_GUARDED_BY(mutex_);  // By path.
  std::map<std::string, std::unique_ptr<base::Mutex>> fetches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::reviewer
