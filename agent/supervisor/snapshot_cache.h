#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/git/pack_file.h"
#include "lib/git/snapshot_files.h"

namespace slipway::agent {

// Complete snapshots that attempts on this host have had, for later ones to begin with. Supervisors
// of one host share a directory, which no sandbox sees; what attempts get of it are copies. Entries
// appear and go as a whole, and are read from end to end before they are used: one that is damaged
// is dropped, never served. It holds at most `bytes_max` of entries; those used longest ago go
// first. A cache without its disk is an empty cache. Safe for use by many processes and threads.
class SnapshotCache final {
 public:
  // Looked at for the base of a difference.
  static constexpr size_t kCommitsMax = 16;

  // `bytes_max` below 1: holds nothing.
  SnapshotCache(std::string directory, int64_t bytes_max, base::Clock& clock)
      : directory_(std::move(directory)), bytes_max_(bytes_max), clock_(clock) {}

  // The commits of `project` whose snapshots are here, at most kCommitsMax: `wanted` first, then
  // those used last.
  std::vector<std::string> Commits(const std::string& project, const std::string& wanted) const;

  // The snapshot; absent when it is not here, or was damaged and therefore dropped.
  std::optional<git::PackFile> Find(const std::string& project, const std::string& commit);

  // Keeps a copy of `files`, the complete and checked snapshot of `commit`.
  void Add(const std::string& project, const std::string& commit, const git::SnapshotFiles& files);

 private:
  struct Entry {
    std::string path;
    std::string commit;
    uint64_t bytes = 0;
    int64_t use_time_ns = 0;
  };

  // Empty when the names are none.
  std::string EntryPath(const std::string& project, const std::string& commit) const;
  std::vector<Entry> List(const std::string& project_path) const;
  // Waits, but not for long, for other processes; the lock ends with the descriptor.
  absl::StatusOr<base::UniqueFd> Lock() const;
  absl::Status AddLocked(const std::string& path, const git::SnapshotFiles& files);
  // Makes room for `bytes`.
  absl::Status Evict(uint64_t bytes);
  absl::Status Remove(const std::string& path);
  void Touch(const std::string& path) const;

  const std::string directory_;
  const int64_t bytes_max_;
  base::Clock& clock_;
};

}  // namespace slipway::agent
