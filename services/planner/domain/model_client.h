#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/planner/domain/cancellation.h"
#include "services/planner/domain/estimate.h"
#include "services/planner/domain/prompt.h"

namespace slipway::planner {

// One call to a model for a plan.
struct PlanCall {
  std::string call_id;
  std::string role;
  std::string project;  // projects/{p}
  std::string plan;     // projects/{p}/plans/{n}
  std::vector<PromptTurn> turns;
  int64_t output_tokens_max = 0;
};

struct ModelReply {
  std::string text;
  bool cut = false;  // The model had more to say than its output allowed.
};

// The models service, as the planner needs it. Thread-safe; blocks.
class ModelClient {
 public:
  virtual ~ModelClient() = default;

  // Asks for a plan. CANCELLED when `cancellation` came first; else the service's errors.
  virtual absl::StatusOr<ModelReply> Generate(const PlanCall& call, Cancellation& cancellation) = 0;

  // Price of a call at its worst, in billionths of a US dollar.
  virtual absl::StatusOr<int64_t> Price(const std::string& role, const TokenEstimate& tokens) = 0;
};

}  // namespace slipway::planner
