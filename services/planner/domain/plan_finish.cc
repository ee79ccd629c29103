#include "services/planner/domain/plan_finish.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status_macros.h"
#include "services/planner/domain/estimate.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/plan_check.h"
#include "services/planner/domain/role_selection.h"

namespace slipway::planner {
namespace {

constexpr absl::string_view kNoPrice = "The estimate leaves out what no price is known for: ";

}  // namespace

absl::Status FinishPlan(const ProjectPolicy& policy, ModelClient& models, PlanContent& content) {
  NormalizePlan(content);
  // Before anything is asked of another service: a hostile plan is refused by its own faults.
  RETURN_IF_ERROR(CheckPlan(content));
  for (Task& task : content.tasks) {
    if (task.role.empty()) task.role = RoleFor(task.intent, task.complexity);
  }
  const std::vector<std::string> unknown = EstimateTasks(
      policy,
      [&models](const std::string& role, const TokenEstimate& tokens) {
        return models.Price(role, tokens);
      },
      content.tasks);
  std::vector<std::string>& risks = content.risks;
  risks.erase(
      std::remove_if(risks.begin(), risks.end(),
                     [](const std::string& risk) { return absl::StartsWith(risk, kNoPrice); }),
      risks.end());
  for (const std::string& role : unknown) {
    if (risks.size() < kListMax) risks.push_back(absl::StrCat(kNoPrice, "role ", role));
  }
  return CheckPlan(content);
}

}  // namespace slipway::planner
