#include "services/planner/domain/role_selection.h"

namespace slipway::planner {
namespace {

struct Choice {
  absl::string_view intent;
  const char* roles[3];  // For low, medium and high complexity.
};

constexpr Choice kChoices[] = {
    {"code", {"simple_builder", "general_builder", "coding_optimized_builder"}},
    {"test", {"simple_builder", "general_builder", "coding_optimized_builder"}},
    {"refactor", {"general_builder", "coding_optimized_builder", "coding_optimized_builder"}},
    {"docs", {"mechanical_worker", "simple_builder", "general_builder"}},
    {"config", {"mechanical_worker", "simple_builder", "general_builder"}},
};

}  // namespace

std::string RoleFor(absl::string_view intent, Complexity complexity) {
  for (const Choice& choice : kChoices) {
    if (choice.intent == intent) return choice.roles[static_cast<int>(complexity) - 1];
  }
  return "general_builder";
}

}  // namespace slipway::planner
