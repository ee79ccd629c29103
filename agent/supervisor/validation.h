#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/domain/grant.h"
#include "agent/domain/result.h"
#include "agent/supervisor/attempt_directory.h"
#include "agent/supervisor/sandbox_watch.h"
#include "agent/supervisor/settings.h"

namespace slipway::agent {

// Runs the validators of `order` one by one, each in a fresh sandbox on a fresh workspace of the
// same tree, until one fails. A validator that must not or cannot run is an outcome with exit code
// 127. TreeMismatch when the snapshot is not what the order says; GrantLost; other errors are those
// of the sandbox and the host.
absl::StatusOr<Result> Validate(const Settings& settings, const std::string& commit,
                                const CheckOrder& order, absl::Duration deadline,
                                AttemptDirectory& directory, const WatchContext& context);

}  // namespace slipway::agent
