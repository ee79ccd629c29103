#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/domain/grant.h"
#include "agent/session/dispatcher_client.h"
#include "agent/supervisor/attempt_directory.h"
#include "agent/supervisor/sandbox_watch.h"
#include "lib/git/snapshot.h"

namespace slipway::agent {

// Brings the pack of the grant's snapshot to directory.pack(), again while the dispatcher is away
// and `deadline` (Clock::Elapsed) has not passed. GrantLost when the grant is fenced or its lease
// is stopped; SnapshotTooLarge.
absl::Status FetchSnapshot(const GrantKey& key, absl::Duration deadline, DispatcherClient& client,
                           const AttemptDirectory& directory, const WatchContext& context);

// Makes a fresh workspace from the pack, owned by `uid`, and returns the id of its tree. Only
// before anything untrusted runs in it.
absl::StatusOr<std::string> UnpackSnapshot(AttemptDirectory& directory, const std::string& commit,
                                           uid_t uid, git::SnapshotReceiver::WorkTree work_tree);

}  // namespace slipway::agent
