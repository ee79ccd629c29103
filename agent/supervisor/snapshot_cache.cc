#include "agent/supervisor/snapshot_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "agent/domain/pause.h"
#include "lib/base/error.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/git/oid.h"
#include "lib/log/log.h"

namespace slipway::agent {
namespace {

namespace fs = std::filesystem;

constexpr char kPackName[] = "snapshot.pack";
constexpr char kIndexName[] = "snapshot.index";
// Neither is the id of a project: what a killed process was writing or removing.
constexpr char kNewName[] = ".new";
constexpr char kOldName[] = ".old";
// An attempt gains little by the cache: it does not wait for it long.
constexpr absl::Duration kLockPatience = absl::Seconds(5);
constexpr absl::Duration kLockPause = absl::Milliseconds(20);

git::SnapshotFiles EntryFiles(const std::string& path) {
  return {.pack = absl::StrCat(path, "/", kPackName), .index = absl::StrCat(path, "/", kIndexName)};
}

// The directories in `path`; none when it cannot be read.
std::vector<fs::path> DirectoriesIn(const std::string& path) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unused;
    if (fs::is_directory(entry->symlink_status(unused))) found.push_back(entry->path());
  }
  return found;
}

uint64_t SizeOrNone(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

}  // namespace

std::string SnapshotCache::EntryPath(const std::string& project, const std::string& commit) const {
  if (bytes_max_ < 1 || !base::IsValidId(project) || !git::Oid::Parse(commit).ok()) return "";
  return absl::StrCat(directory_, "/", project, "/", commit);
}

std::vector<SnapshotCache::Entry> SnapshotCache::List(const std::string& project_path) const {
  std::vector<Entry> entries;
  for (const fs::path& path : DirectoriesIn(project_path)) {
    struct stat status;
    if (stat(path.c_str(), &status) != 0) continue;
    const git::SnapshotFiles files = EntryFiles(path.string());
    entries.push_back(
        {.path = path.string(),
         .commit = path.filename().string(),
         .bytes = SizeOrNone(files.pack) + SizeOrNone(files.index),
         .use_time_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(-a.use_time_ns, a.path) < std::pair(-b.use_time_ns, b.path);
  });
  return entries;
}

std::vector<std::string> SnapshotCache::Commits(const std::string& project,
                                                const std::string& wanted) const {
  if (EntryPath(project, wanted).empty()) return {};
  std::vector<std::string> commits;
  for (const Entry& entry : List(absl::StrCat(directory_, "/", project))) {
    if (!git::Oid::Parse(entry.commit).ok()) continue;
    commits.insert(entry.commit == wanted ? commits.begin() : commits.end(), entry.commit);
  }
  commits.resize(std::min(commits.size(), kCommitsMax));
  return commits;
}

std::optional<git::PackFile> SnapshotCache::Find(const std::string& project,
                                                 const std::string& commit) {
  const std::string path = EntryPath(project, commit);
  if (path.empty()) return std::nullopt;
  const git::SnapshotFiles files = EntryFiles(path);
  absl::StatusOr<git::PackFile> found = git::PackFile::Open(files.pack, files.index);
  if (found.ok()) {
    Touch(path);
    return *std::move(found);
  }
  if (absl::IsNotFound(found.status())) return std::nullopt;  // It went meanwhile.
  log::Warning("a cached snapshot is damaged and goes",
               {{"project", project}, {"commit", commit}, {"error", found.status().message()}});
  const absl::StatusOr<base::UniqueFd> lock = Lock();
  const absl::Status removed = lock.ok() ? Remove(path) : lock.status();
  if (!removed.ok()) {
    log::Warning("a cached snapshot was not removed", {{"error", removed.message()}});
  }
  return std::nullopt;
}

void SnapshotCache::Add(const std::string& project, const std::string& commit,
                        const git::SnapshotFiles& files) {
  const std::string path = EntryPath(project, commit);
  if (path.empty()) return;
  const absl::Status made = base::MakeDirectories(absl::StrCat(directory_, "/", project));
  const absl::StatusOr<base::UniqueFd> lock = made.ok() ? Lock() : made;
  const absl::Status added = lock.ok() ? AddLocked(path, files) : lock.status();
  if (added.ok()) return;
  log::Warning("a snapshot was not cached",
               {{"project", project}, {"commit", commit}, {"error", added.message()}});
}

absl::StatusOr<base::UniqueFd> SnapshotCache::Lock() const {
  const absl::Duration deadline = clock_.Elapsed() + kLockPatience;
  while (true) {
    absl::StatusOr<base::UniqueFd> lock = base::LockFile(absl::StrCat(directory_, "/.lock"));
    if (base::ReasonOf(lock.status()) != "LOCKED" || clock_.Elapsed() >= deadline) return lock;
    Pause(clock_, kLockPause);
  }
}

absl::Status SnapshotCache::AddLocked(const std::string& path, const git::SnapshotFiles& files) {
  struct stat status;
  if (stat(path.c_str(), &status) == 0) {
    Touch(path);
    return absl::OkStatus();
  }
  // Nobody else writes under the lock: what is there was left by a process that was killed.
  const std::string temporary = absl::StrCat(directory_, "/", kNewName);
  RETURN_IF_ERROR(base::RemoveTree(temporary));
  RETURN_IF_ERROR(base::RemoveTree(absl::StrCat(directory_, "/", kOldName)));
  const uint64_t bytes = SizeOrNone(files.pack) + SizeOrNone(files.index);
  if (bytes > static_cast<uint64_t>(bytes_max_)) {
    log::Info("a snapshot is larger than the cache", {{"bytes", bytes}});
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(Evict(bytes));
  RETURN_IF_ERROR(base::MakeDirectories(temporary));
  const git::SnapshotFiles copies = EntryFiles(temporary);
  RETURN_IF_ERROR(base::CopyFile(files.pack, copies.pack, 0400));
  RETURN_IF_ERROR(base::CopyFile(files.index, copies.index, 0400));
  for (const std::string& written : {copies.pack, copies.index, temporary}) {
    RETURN_IF_ERROR(base::Sync(written));
  }
  Touch(temporary);
  if (rename(temporary.c_str(), path.c_str()) != 0) return base::ErrnoStatus(errno, path);
  return base::Sync(fs::path(path).parent_path().string());
}

absl::Status SnapshotCache::Evict(uint64_t bytes) {
  std::vector<Entry> entries;
  for (const fs::path& project : DirectoriesIn(directory_)) {
    for (Entry& entry : List(project.string())) entries.push_back(std::move(entry));
  }
  uint64_t held = 0;
  for (const Entry& entry : entries) held += entry.bytes;
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.use_time_ns < b.use_time_ns; });
  for (const Entry& entry : entries) {
    if (held + bytes <= static_cast<uint64_t>(bytes_max_)) break;
    RETURN_IF_ERROR(Remove(entry.path));
    held -= entry.bytes;
    log::Info("a cached snapshot gave way", {{"commit", entry.commit},
                                             {"bytes", entry.bytes},
                                             {"held", held},
                                             {"bytes_max", bytes_max_}});
  }
  return absl::OkStatus();
}

// As one step for those who look for it.
absl::Status SnapshotCache::Remove(const std::string& path) {
  const std::string old = absl::StrCat(directory_, "/", kOldName);
  RETURN_IF_ERROR(base::RemoveTree(old));
  if (rename(path.c_str(), old.c_str()) != 0) {
    return errno == ENOENT ? absl::OkStatus() : base::ErrnoStatus(errno, path);
  }
  return base::RemoveTree(old);
}

void SnapshotCache::Touch(const std::string& path) const {
  const timespec now = absl::ToTimespec(clock_.Now());
  const timespec times[2] = {now, now};
  // Without it the entry goes sooner than it should.
  utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

}  // namespace slipway::agent
