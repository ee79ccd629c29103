#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/rehearse/history.h"

namespace slipway::cli {

// The id of the task that replays the commit: the same for every plan that holds it.
std::string TaskIdOf(const HistoricCommit& commit);

// Writes DIRECTORY/script.json for the scripted provider: for the task of each commit, one reply
// with the exact diff of that commit. Returns for each commit why it has no reply (reason first);
// empty when it has one.
absl::StatusOr<std::vector<std::string>> WriteReplyScript(
    const History& history, const std::vector<HistoricCommit>& commits,
    const std::string& directory);

}  // namespace slipway::cli
