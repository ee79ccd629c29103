#include "agent/supervisor/snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <vector>

#include "agent/domain/errors.h"
#include "agent/domain/limits.h"
#include "agent/domain/pause.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/git/commit.h"
#include "lib/git/errors.h"
#include "lib/git/repository.h"
#include "lib/log/log.h"
#include "lib/sandbox/workspace.h"

namespace slipway::agent {
namespace {

constexpr absl::Duration kBackoffMin = absl::Milliseconds(50);
constexpr absl::Duration kBackoffMax = absl::Seconds(1);

git::SnapshotFiles FilesOf(const AttemptDirectory& directory) {
  return {.pack = directory.pack(), .index = directory.pack() + ".index"};
}

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::ErrnoStatus(errno, "write the snapshot");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// The snapshot as it came, before it is checked.
struct Arrival {
  std::string base_commit;  // Empty: complete.
  uint64_t bytes = 0;
};

absl::StatusOr<Arrival> FetchOnce(const SnapshotOrder& order,
                                  const std::vector<std::string>& cached, DispatcherClient& client,
                                  const WatchContext& context, const std::string& path) {
  const base::UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return base::ErrnoStatus(errno, path);
  Arrival arrival;
  const absl::Duration left = order.deadline - context.clock.Elapsed();
  ASSIGN_OR_RETURN(arrival.base_commit,
                   client.GetSnapshot(order.key, cached, left, [&](absl::string_view chunk) {
                     arrival.bytes += chunk.size();
                     if (arrival.bytes > kSnapshotBytesMax) return SnapshotTooLarge();
                     if (context.lease.state() == Lease::State::kStopped) {
                       return GrantLost("stopped");
                     }
                     context.report.Active();
                     return WriteAll(file.get(), chunk);
                   }));
  return arrival;
}

// Fetches again while the dispatcher is away.
absl::StatusOr<Arrival> FetchPatiently(const SnapshotOrder& order,
                                       const std::vector<std::string>& cached,
                                       DispatcherClient& client, const WatchContext& context,
                                       const std::string& path) {
  base::Clock& clock = context.clock;
  absl::Duration backoff = kBackoffMin;
  while (true) {
    const absl::StatusOr<Arrival> arrival = FetchOnce(order, cached, client, context, path);
    const absl::Status& status = arrival.status();
    if (status.ok()) return arrival;
    if (base::ReasonOf(status) == "STALE_EPOCH") return GrantLost(status.message());
    if (context.lease.state() == Lease::State::kStopped) return GrantLost("stopped");
    const bool passing = absl::IsUnavailable(status) || absl::IsCancelled(status);
    if (!passing || clock.Elapsed() + backoff >= order.deadline) return status;
    log::Warning("the snapshot broke off, trying again", {{"error", status.message()}});
    Pause(clock, backoff);
    backoff = std::min(backoff * 2, kBackoffMax);
  }
}

// Makes the complete snapshot of what arrived. PACK_INVALID when it cannot be made, whether the
// cache or the arrival is to blame.
absl::Status CompleteSnapshot(const Arrival& arrival, const std::string& arrived,
                              const std::string& project, const std::string& commit,
                              SnapshotCache& cache, const git::SnapshotFiles& files) {
  ASSIGN_OR_RETURN(const git::Oid oid, git::Oid::Parse(commit));
  if (arrival.base_commit.empty()) {
    if (rename(arrived.c_str(), files.pack.c_str()) != 0) {
      return base::ErrnoStatus(errno, files.pack);
    }
    return git::IndexSnapshot(files, oid);
  }
  const std::optional<git::PackFile> base = cache.Find(project, arrival.base_commit);
  if (!base.has_value()) return git::PackInvalid("its base is not in the cache");
  return git::JoinSnapshot(*base, arrived, oid, files);
}

}  // namespace

absl::Status FetchSnapshot(const SnapshotOrder& order, DispatcherClient& client,
                           SnapshotCache& cache, const AttemptDirectory& directory,
                           const WatchContext& context) {
  const absl::Duration start = context.clock.Elapsed();
  const absl::StatusOr<std::vector<std::string>> ids =
      base::MatchName("projects/*/plans/*/tasks/*/attempts/*", order.key.attempt);
  const std::string project = ids.ok() ? ids->front() : "";  // Nothing is cached for none.
  const git::SnapshotFiles files = FilesOf(directory);
  const std::string arrived = directory.pack() + ".arrived";
  std::vector<std::string> cached = cache.Commits(project, order.commit);
  while (true) {
    ASSIGN_OR_RETURN(const Arrival arrival,
                     FetchPatiently(order, cached, client, context, arrived));
    const absl::Status completed =
        CompleteSnapshot(arrival, arrived, project, order.commit, cache, files);
    unlink(arrived.c_str());
    if (base::ReasonOf(completed) == "PACK_INVALID" && !arrival.base_commit.empty()) {
      log::Warning("a difference was of no use, fetching the complete snapshot",
                   {{"base", arrival.base_commit}, {"error", completed.message()}});
      cached.clear();
      continue;
    }
    RETURN_IF_ERROR(completed);
    cache.Add(project, order.commit, files);
    log::Info("snapshot fetched",
              {{"attempt", order.key.attempt},
               {"commit", order.commit},
               {"base", arrival.base_commit},
               {"cached", cached.size()},
               {"bytes", arrival.bytes},
               {"ms", absl::ToInt64Milliseconds(context.clock.Elapsed() - start)}});
    return absl::OkStatus();
  }
}

absl::StatusOr<std::string> UnpackSnapshot(AttemptDirectory& directory, const std::string& commit,
                                           uid_t uid, git::WorkTree work_tree) {
  RETURN_IF_ERROR(directory.ClearWorkspace());
  ASSIGN_OR_RETURN(const git::Oid oid, git::Oid::Parse(commit));
  const git::SnapshotFiles files = FilesOf(directory);
  ASSIGN_OR_RETURN(const bool indexed, git::IsIndexed(files));
  if (!indexed) RETURN_IF_ERROR(git::IndexSnapshot(files, oid));
  RETURN_IF_ERROR(git::InstallSnapshot(files, oid, directory.workspace(), work_tree));
  ASSIGN_OR_RETURN(const git::Repository repository, git::Repository::Open(directory.workspace()));
  ASSIGN_OR_RETURN(const git::Commit read, git::ReadCommit(repository, oid));
  RETURN_IF_ERROR(sandbox::PrepareWorkspace(directory.workspace(), uid, uid));
  return read.tree.ToHex();
}

}  // namespace slipway::agent
