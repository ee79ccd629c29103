#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/states.h"

namespace slipway::dispatcher {

// A question to a person.
struct Checkpoint {
  CheckpointKey key;
  std::string reason;  // UPPER_SNAKE
  std::string question;
  std::vector<std::string> evidence;
  std::vector<Decision> options;
  Decision decision = Decision::kNone;
  std::string guidance;
  std::string actor;
  absl::Time open_time;
  std::optional<absl::Time> resolve_time;
};

// A scope in which no work is granted.
struct Pause {
  std::string scope;  // A resource name, or "everything".
  std::string reason;
  std::string actor;
  absl::Time time;
};

inline constexpr char kEverything[] = "everything";

}  // namespace slipway::dispatcher
