#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/planner/domain/project.h"

namespace slipway::planner {

enum class Speaker { kSystem = 1, kUser = 2, kAssistant = 3 };

struct PromptTurn {
  Speaker speaker = Speaker::kUser;
  std::string text;
};

// What a plan is asked for with.
struct PlanPrompt {
  std::string title;
  std::string spec;
  Rigor rigor = Rigor::kStandard;
  PathPolicy paths;
  std::string context;  // See RenderContext; empty when there is none.
};

// The conversation of the first round.
std::vector<PromptTurn> FirstPrompt(const PlanPrompt& prompt);

// The conversation that asks for a better reply: the first one, the refused reply, and exactly what
// is wrong with it ("The reply was refused: PLAN_CYCLE: ...").
std::vector<PromptTurn> RepairPrompt(const PlanPrompt& prompt, absl::string_view refused_reply,
                                     absl::string_view problem);

// Most output tokens of a reply: 8,000, 16,000 or 32,000.
int64_t OutputTokensMax(Rigor rigor);

}  // namespace slipway::planner
