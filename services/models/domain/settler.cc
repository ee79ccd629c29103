#include "services/models/domain/settler.h"

#include <optional>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

metrics::Counter settlements({.name = "slipway_models_settlements_total",
                              .description = "Holds that the ledger was told the end of.",
                              .labels = {"kind", "result"}});

const char* KindName(Settlement::Kind kind) {
  switch (kind) {
    case Settlement::Kind::kUsage:
      return "usage";
    case Settlement::Kind::kUnknown:
      return "unknown";
    case Settlement::Kind::kRelease:
      return "release";
  }
  return "";
}

}  // namespace

absl::StatusOr<int64_t> Settler::Ask(const Settlement& settlement) {
  absl::StatusOr<int64_t> charged = ledger_.Settle(settlement);
  if (base::ReasonOf(charged.status()) != "PRICE_UNKNOWN") return charged;
  // The provider named a model or tier that has no price of its own: what was asked for has one.
  Settlement as_asked = settlement;
  as_asked.model = settlement.asked_model;
  as_asked.service_tier = settlement.asked_tier;
  charged = ledger_.Settle(as_asked);
  if (base::ReasonOf(charged.status()) != "PRICE_UNKNOWN") return charged;
  as_asked.kind = Settlement::Kind::kUnknown;
  return ledger_.Settle(as_asked);
}

absl::StatusOr<int64_t> Settler::Settle(const Settlement& settlement) {
  const absl::StatusOr<int64_t> charged = Ask(settlement);
  if (charged.ok()) {
    settlements.Increment({KindName(settlement.kind), "accepted"});
    Forget(settlement.reservation);
    RETURN_IF_ERROR(store_.MarkSettled(settlement.reservation, *charged));
    return *charged;
  }
  const std::string reason = base::ReasonOf(charged.status());
  const bool unknown =
      reason == "RESERVATION_UNKNOWN" &&
      !(settlement.kind == Settlement::Kind::kRelease && MayStillArrive(settlement.reservation));
  const bool over = reason == "RESERVATION_CLOSED" || unknown;
  settlements.Increment({KindName(settlement.kind), over ? "closed_before" : "failed"});
  if (!over) return charged.status();
  Forget(settlement.reservation);
  log::Warning("the ledger had ended a hold in another way",
               {{"reservation", settlement.reservation}, {"reason", reason}});
  RETURN_IF_ERROR(store_.MarkSettled(settlement.reservation, std::nullopt));
  return charged.status();
}

bool Settler::MayStillArrive(const std::string& reservation) {
  base::MutexLock lock(mutex_);
  const absl::Duration now = clock_.Elapsed();
  return now < arrivals_.try_emplace(reservation, now + kReserveInFlightMax).first->second;
}

void Settler::Forget(const std::string& reservation) {
  base::MutexLock lock(mutex_);
  arrivals_.erase(reservation);
}

absl::Status Settler::SettleOwed(const std::string& owner) {
  absl::Status first_error;
  std::string after;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<Settlement> owed, store_.Owed(after, kOwedBatch));
    if (owed.empty()) break;
    for (const Settlement& settlement : owed) {
      after = settlement.reservation;
      const absl::Status settled = Settle(settlement).status();
      if (absl::IsUnavailable(settled) || absl::IsDeadlineExceeded(settled)) return settled;
      if (!settled.ok() && first_error.ok()) first_error = settled;
    }
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> gone, store_.OwnersToClose(owner));
  for (const std::string& instance : gone) {
    RETURN_IF_ERROR(ledger_.CloseOwner(instance));
    RETURN_IF_ERROR(store_.MarkOwnerClosed(instance));
  }
  return first_error;
}

}  // namespace slipway::models
