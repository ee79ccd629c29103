#include "agent/supervisor/snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "agent/domain/errors.h"
#include "agent/domain/limits.h"
#include "agent/domain/pause.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/git/commit.h"
#include "lib/git/repository.h"
#include "lib/log/log.h"
#include "lib/sandbox/workspace.h"

namespace slipway::agent {
namespace {

constexpr size_t kReadBytes = 256u << 10;
constexpr absl::Duration kBackoffMin = absl::Milliseconds(50);
constexpr absl::Duration kBackoffMax = absl::Seconds(1);

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::ErrnoStatus(errno, "write the snapshot");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status FetchOnce(const GrantKey& key, absl::Duration timeout, DispatcherClient& client,
                       const WatchContext& context, const std::string& path) {
  const base::UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return base::ErrnoStatus(errno, path);
  size_t size = 0;
  return client.GetSnapshot(key, timeout, [&](absl::string_view chunk) {
    size += chunk.size();
    if (size > kSnapshotBytesMax) return SnapshotTooLarge();
    if (context.lease.state() == Lease::State::kStopped) return GrantLost("stopped");
    context.report.Active();
    return WriteAll(file.get(), chunk);
  });
}

}  // namespace

absl::Status FetchSnapshot(const GrantKey& key, absl::Duration deadline, DispatcherClient& client,
                           const AttemptDirectory& directory, const WatchContext& context) {
  base::Clock& clock = context.clock;
  absl::Duration backoff = kBackoffMin;
  while (true) {
    const absl::Duration left = deadline - clock.Elapsed();
    const absl::Status status = FetchOnce(key, left, client, context, directory.pack());
    if (status.ok()) return status;
    if (base::ReasonOf(status) == "STALE_EPOCH") return GrantLost(status.message());
    if (context.lease.state() == Lease::State::kStopped) return GrantLost("stopped");
    const bool passing = absl::IsUnavailable(status) || absl::IsCancelled(status);
    if (!passing || clock.Elapsed() + backoff >= deadline) return status;
    log::Warning("the snapshot broke off, trying again", {{"error", status.message()}});
    Pause(clock, backoff);
    backoff = std::min(backoff * 2, kBackoffMax);
  }
}

absl::StatusOr<std::string> UnpackSnapshot(AttemptDirectory& directory, const std::string& commit,
                                           uid_t uid, git::SnapshotReceiver::WorkTree work_tree) {
  RETURN_IF_ERROR(directory.ClearWorkspace());
  ASSIGN_OR_RETURN(const git::Oid oid, git::Oid::Parse(commit));
  ASSIGN_OR_RETURN(git::SnapshotReceiver receiver,
                   git::SnapshotReceiver::Create(directory.workspace(), oid));
  const base::UniqueFd file(open(directory.pack().c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return base::ErrnoStatus(errno, directory.pack());
  std::vector<char> buffer(kReadBytes);
  while (true) {
    const ssize_t size = read(file.get(), buffer.data(), buffer.size());
    if (size < 0) return base::ErrnoStatus(errno, directory.pack());
    if (size == 0) break;
    RETURN_IF_ERROR(receiver.Append({buffer.data(), static_cast<size_t>(size)}));
  }
  RETURN_IF_ERROR(receiver.Finish(work_tree));
  ASSIGN_OR_RETURN(const git::Repository repository, git::Repository::Open(directory.workspace()));
  ASSIGN_OR_RETURN(const git::Commit read, git::ReadCommit(repository, oid));
  RETURN_IF_ERROR(sandbox::PrepareWorkspace(directory.workspace(), uid, uid));
  return read.tree.ToHex();
}

}  // namespace slipway::agent
