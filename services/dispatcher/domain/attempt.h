#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/states.h"

namespace slipway::dispatcher {

// One try at a task by one agent.
struct Attempt {
  AttemptKey key;
  GrantKind kind = GrantKind::kWork;
  AttemptState state = AttemptState::kOffered;
  std::string host;    // hosts/{h}
  std::string agent;   // Id of the agent.
  std::string commit;  // What it works on.
  std::string reason;
  std::string detail;
  std::vector<std::string> feedback;
  absl::Time start_time;
  std::optional<absl::Time> end_time;
  bool has_result = false;  // Its first result is stored: repeats get the same receipt.
  bool key_open = false;    // Its key for models was perhaps issued and is not revoked yet.
  // How long nothing had been heard of its agent when its lease ended for that.
  std::optional<absl::Duration> silence;
};

// A change that an agent made.
struct ChangeResult {
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

// What validators said about a tree.
struct EvidenceResult {
  std::string tree;
  std::string validator_digest;
  std::vector<ValidatorOutcome> outcomes;
};

enum class FailureClass { kAgent, kInfrastructure, kProvider, kTimeout };

struct FailureResult {
  FailureClass failure_class = FailureClass::kAgent;
  std::string reason;
  std::string detail;
};

enum class StopReason { kBudget, kRateLimit, kTold };

// The attempt stopped without fault.
struct StopResult {
  StopReason reason = StopReason::kTold;
  std::string detail;
  std::optional<absl::Duration> retry_delay;
};

using AttemptResult = std::variant<ChangeResult, EvidenceResult, FailureResult, StopResult>;

// What became of a result that was handed in.
enum class Receipt { kAccepted, kStale };

}  // namespace slipway::dispatcher
