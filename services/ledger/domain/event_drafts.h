#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/events/event.h"
#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/frozen_scope.h"
#include "services/ledger/domain/reservation.h"
#include "services/ledger/domain/usage.h"

// The events of the ledger; slipway/events/v1/event.proto says what their facts mean.
namespace slipway::ledger {

events::EventDraft BudgetChangedEvent(const Budget& budget, std::optional<int64_t> old_limit,
                                      const std::string& actor);
events::EventDraft BudgetDeniedEvent(const Reservation& reservation);
events::EventDraft BudgetFrozenEvent(const Budget& budget, bool frozen, const std::string& actor);
events::EventDraft ScopeFrozenEvent(const ScopePath& path, const FrozenScope& scope, bool frozen);
events::EventDraft BudgetWarnedEvent(const Budget& budget, int32_t percent, int64_t used);
events::EventDraft UsageRecordedEvent(const UsageRecord& record);
events::EventDraft HoldExpiredEvent(const Reservation& reservation, int64_t charged_usd_nanos);

}  // namespace slipway::ledger
