#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace slipway::agent {

struct ValidatorOutcome {
  std::string validator;
  int exit_code = 0;
  bool timed_out = false;
  bool not_run = false;  // For a reason of this host, which no change of the tree mends.
  absl::Duration run_duration;
  std::string output_tail;

  bool passed() const { return exit_code == 0 && !timed_out; }
};

struct Change {
  std::string patch;
  std::string tree;
  std::string summary;
  std::vector<ValidatorOutcome> outcomes;  // Of the agent's own runs: hints, never evidence.
  int repair_rounds = 0;                   // How often the model was asked to repair its edit.
};

struct Evidence {
  std::string tree;
  std::string validator_digest;
  std::vector<ValidatorOutcome> outcomes;
};

enum class FailureClass { kAgent, kInfrastructure, kProvider, kTimeout };

struct Failure {
  FailureClass failure_class = FailureClass::kAgent;
  std::string reason;  // UPPER_SNAKE.
  std::string detail;
};

enum class StopReason { kBudget, kRateLimit, kTold };

struct Stop {
  StopReason reason = StopReason::kTold;
  std::string detail;
  std::optional<absl::Duration> retry_delay;
};

// What an attempt comes to.
using Result = std::variant<Change, Evidence, Failure, Stop>;

}  // namespace slipway::agent
