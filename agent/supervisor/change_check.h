#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/domain/grant.h"
#include "agent/domain/repair.h"
#include "agent/domain/result.h"
#include "agent/supervisor/attempt_directory.h"
#include "agent/supervisor/sandbox_watch.h"
#include "agent/supervisor/settings.h"

namespace slipway::agent {

// Runs a grant's validators on a change before it is handed in, as they will run on the candidate:
// each in a sandbox of its own, on a fresh checkout of the tree that the change gives. Nothing of
// the runner is there, neither its workspace nor the model's key and socket, and what validators
// write goes with their checkout. Not thread-safe.
class ChangeCheck final {
 public:
  // `directory` holds the snapshot of `commit` as a pack. All but `commit` must outlive this.
  ChangeCheck(const Settings& settings, std::string commit, const WriteOrder& order,
              AttemptDirectory& directory, const WatchContext& context)
      : settings_(settings),
        commit_(std::move(commit)),
        order_(order),
        directory_(directory),
        context_(context) {}

  // Fills in the outcomes of `change`. What hinders the check, of the host or of the change, is
  // logged and kNotRun: paid work is not lost for a hint. GrantLost.
  absl::StatusOr<CheckVerdict> Run(Change& change, absl::Duration deadline);

 private:
  // The snapshot, read in its pack: no sandbox ever sees that.
  struct Workshop;

  absl::Status Open();
  // Makes the commit that `change` gives, with the snapshot's message, the pack of that directory.
  absl::StatusOr<std::string> Prepare(const Change& change,
                                      const AttemptDirectory& candidate_directory);

  const Settings& settings_;
  const std::string commit_;
  const WriteOrder& order_;
  AttemptDirectory& directory_;
  const WatchContext& context_;
  std::shared_ptr<Workshop> workshop_;
};

}  // namespace slipway::agent
