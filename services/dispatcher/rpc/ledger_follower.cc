#include "services/dispatcher/rpc/ledger_follower.h"

#include <map>
#include <utility>
#include <vector>

namespace slipway::dispatcher {
namespace {

// -1 stands for no limit.
bool IsRaised(const events::v1::BudgetChanged& change) {
  return change.new_limit() < 0 ||
         (change.old_limit() >= 0 && change.new_limit() > change.old_limit());
}

}  // namespace

LogFollower::Options LedgerFor(Dispatcher& dispatcher, std::string cursor) {
  return {.service = "ledger",
          .kinds = {"budget.changed", "budget.frozen", "usage.recorded"},
          .cursor = std::move(cursor),
          .apply = [&dispatcher](const events::v1::WatchResponse& response) {
            std::vector<std::string> raised;
            std::map<std::string, int64_t> costs;
            for (const events::v1::Event& event : response.events()) {
              const events::v1::EventPayload& payload = event.payload();
              if (payload.has_budget_changed() && IsRaised(payload.budget_changed())) {
                raised.push_back(payload.budget_changed().scope());
              } else if (payload.has_budget_frozen() && !payload.budget_frozen().frozen()) {
                raised.push_back(payload.budget_frozen().scope());
              } else if (payload.has_usage_recorded() && !event.project().empty()) {
                costs[event.project()] += payload.usage_recorded().cost_usd_nanos();
              }
            }
            dispatcher.LedgerChanged(std::move(raised), std::move(costs), response.resume_token());
          }};
}

LogFollower::Options RollbacksFor(Dispatcher& dispatcher) {
  return {.service = "reviewer",
          .kinds = {"branch.returned"},
          .apply = [&dispatcher](const events::v1::WatchResponse& response) {
            for (const events::v1::Event& event : response.events()) {
              if (!event.payload().has_branch_returned()) continue;
              const events::v1::BranchReturned& returned = event.payload().branch_returned();
              dispatcher.BranchReturned(event.plan(), returned.from(), returned.to());
            }
          }};
}

}  // namespace slipway::dispatcher
