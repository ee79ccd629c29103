#include "services/planner/domain/event.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"
#include "services/planner/domain/limits.h"

namespace slipway::planner {
namespace {

using Json = nlohmann::json;

// Events are limited; a text that is longer is told in full by the plan itself.
std::string Short(absl::string_view text) { return base::ToUtf8(text, 2'000); }

std::string Dump(const Json& facts) {
  return facts.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Event ProjectChanged(const std::string& project, absl::string_view change,
                     const std::vector<std::string>& fields, absl::string_view actor) {
  const Json facts = {
      {"change", std::string(change)}, {"fields", fields}, {"actor", std::string(actor)}};
  return {"project.changed", project, "", Dump(facts)};
}

Event PlanStateChanged(const std::string& project, const std::string& plan,
                       const StateChange& change) {
  const Json facts = {{"from", change.from},
                      {"to", std::string(PlanStateName(change.to))},
                      {"title", Short(change.title)},
                      {"reason", Short(change.reason)},
                      {"actor", change.actor}};
  return {"plan.state_changed", project, plan, Dump(facts)};
}

Event PlanRevised(const std::string& project, const std::string& plan, int version, int tasks,
                  const std::vector<std::string>& changes, absl::string_view actor) {
  Json told = Json::array();
  for (size_t i = 0; i < std::min(changes.size(), kEventChangesMax); ++i) {
    told.push_back(base::ToUtf8(changes[i], 300));
  }
  if (changes.size() > kEventChangesMax) {
    told.push_back(absl::StrCat("and ", changes.size() - kEventChangesMax, " more"));
  }
  const Json facts = {{"version", version},
                      {"tasks", tasks},
                      {"changes", std::move(told)},
                      {"actor", std::string(actor)}};
  return {"plan.revised", project, plan, Dump(facts)};
}

Event PlanAmendmentChanged(const std::string& project, const std::string& plan,
                           const AmendmentChange& change) {
  const auto first = [](const std::vector<std::string>& ids) {
    return std::vector<std::string>(
        ids.begin(), ids.begin() + static_cast<ptrdiff_t>(std::min(ids.size(), kEventChangesMax)));
  };
  const Json facts = {{"from", change.from},
                      {"to", change.to},
                      {"version", change.version},
                      {"base_version", change.base_version},
                      {"added", first(change.added)},
                      {"changed", first(change.changed)},
                      {"removed", first(change.removed)},
                      {"estimate_change_usd_nanos", change.estimate_change_usd_nanos},
                      {"detail", Short(change.detail)},
                      {"actor", change.actor}};
  return {"plan.amendment_changed", project, plan, Dump(facts)};
}

Event PlanReplyRejected(const std::string& project, const std::string& plan, int round,
                        absl::string_view reason, absl::string_view detail) {
  const Json facts = {{"round", round}, {"reason", std::string(reason)}, {"detail", Short(detail)}};
  return {"plan.reply_rejected", project, plan, Dump(facts)};
}

}  // namespace slipway::planner
