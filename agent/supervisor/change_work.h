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

// Has the runner write a change in the prepared workspace of `directory`, runs the order's
// validators on it, and has it repaired while rounds and time allow. The runner is not trusted:
// whatever it says, the result is well-formed and bounded. A fenced lease is GrantLost; other
// errors are those of the sandbox and the host, before there was a change.
absl::StatusOr<Result> WriteChange(const Settings& settings, const std::string& commit,
                                   const WriteOrder& order, absl::Duration deadline,
                                   AttemptDirectory& directory, const WatchContext& context);

// Where the program stands inside the sandbox.
inline constexpr char kProgramInside[] = "/slipway-agent";
inline constexpr char kModelKeyVariable[] = "SLIPWAY_MODEL_KEY";

}  // namespace slipway::agent
