#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/domain/grant.h"
#include "agent/session/dispatcher_client.h"
#include "agent/supervisor/attempt_directory.h"
#include "agent/supervisor/sandbox_watch.h"
#include "agent/supervisor/snapshot_cache.h"
#include "lib/git/snapshot_files.h"

namespace slipway::agent {

struct SnapshotOrder {
  GrantKey key;
  std::string commit;
  absl::Duration deadline;  // Of Clock::Elapsed.
};

// Brings the complete and checked pack of the grant's snapshot to directory.pack(), again while the
// dispatcher is away and the deadline has not passed. What `cache` has of it does not travel; a
// cached snapshot that is of no use costs time, never the attempt. GrantLost when the grant is
// fenced or its lease is stopped; SnapshotTooLarge; PACK_INVALID.
absl::Status FetchSnapshot(const SnapshotOrder& order, DispatcherClient& client,
                           SnapshotCache& cache, const AttemptDirectory& directory,
                           const WatchContext& context);

// Makes a fresh workspace from the pack, owned by `uid`, and returns the id of its tree. It shares
// no file with the pack. Only before anything untrusted runs in it.
absl::StatusOr<std::string> UnpackSnapshot(AttemptDirectory& directory, const std::string& commit,
                                           uid_t uid, git::WorkTree work_tree);

}  // namespace slipway::agent
