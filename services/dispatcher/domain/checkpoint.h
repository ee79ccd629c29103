#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/states.h"

namespace slipway::dispatcher {

// Why a task fails, as a model sees it.
struct Diagnosis {
  std::string cause;  // Empty when there is none.
  std::vector<std::string> findings;
  std::string guidance;  // To the next agent, or the new description.
  Decision advice = Decision::kNone;
  std::string role;     // That was asked.
  std::string problem;  // Why there is none.
};

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
  std::optional<Diagnosis> diagnosis;
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
