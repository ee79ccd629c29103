#pragma once

#include <string>

#include "services/dispatcher/domain/dispatcher.h"
#include "services/dispatcher/rpc/log_follower.h"

namespace slipway::dispatcher {

// Follows the ledger's log for budgets that were raised and what calls cost, from where it was
// left. Without the ledger paused work looks again by itself, only later.
LogFollower::Options LedgerFor(Dispatcher& dispatcher, std::string cursor);

// Follows the reviewer's log for branches that were taken back, always from its beginning: what was
// applied before changes nothing. Until it has caught up, work begins from where a branch was.
LogFollower::Options RollbacksFor(Dispatcher& dispatcher);

}  // namespace slipway::dispatcher
