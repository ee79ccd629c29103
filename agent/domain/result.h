#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace slipway::agent {

struct Change {
  std::string patch;
  std::string tree;
  std::string summary;
};

struct ValidatorOutcome {
  std::string validator;
  int exit_code = 0;
  bool timed_out = false;
  absl::Duration run_duration;
  std::string output_tail;
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
