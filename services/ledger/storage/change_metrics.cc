#include "services/ledger/storage/change_metrics.h"

#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

namespace slipway::ledger {
namespace {

metrics::Counter changes_total({.name = "slipway_ledger_changes_total",
                                .description = "Changes of the ledger by operation.",
                                .labels = {"operation"}});
metrics::Counter denials_total({.name = "slipway_ledger_denials_total",
                                .description = "Refused reservations by cause.",
                                .labels = {"cause"}});
metrics::Counter cost_nanos_total({.name = "slipway_ledger_cost_usd_nanos_total",
                                   .description = "Cost of recorded calls, in nano-USD."});
metrics::Counter estimated_nanos_total(
    {.name = "slipway_ledger_estimated_usd_nanos_total",
     .description = "Cost that is an upper bound because the outcome is unknown, in nano-USD."});
metrics::Counter overruns_total({.name = "slipway_ledger_overruns_total",
                                 .description = "Settlements above their hold; 0 is the target."});
metrics::Counter overage_nanos_total(
    {.name = "slipway_ledger_overage_usd_nanos_total",
     .description = "What settlements cost above their holds, in nano-USD; 0 is the target."});
metrics::Counter expired_total({.name = "slipway_ledger_expired_total",
                                .description = "Holds that ended without their caller, by kind.",
                                .labels = {"kind"}});
metrics::Histogram batch_changes({.name = "slipway_ledger_batch_changes",
                                  .description = "Changes that shared one sync of the disk."},
                                 {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1'024, 4'096});
metrics::Counter warnings_total({.name = "slipway_ledger_warnings_total",
                                 .description = "Thresholds of limits that were crossed."});

}  // namespace

void CountBatch(int64_t changes) {
  if (changes > 0) batch_changes.Observe(static_cast<double>(changes));
}

void CountChanges(const Changes& changes) {
  for (const JournalEntry& entry : changes.journal) changes_total.Increment({entry.operation});
  for (const Reservation& reservation : changes.added) {
    if (reservation.denial.has_value())
      denials_total.Increment({NameOf(reservation.denial->cause)});
  }
  for (const UsageRecord& record : changes.usage_added) {
    cost_nanos_total.Increment(static_cast<uint64_t>(record.charged.usd_nanos));
    if (record.basis == Basis::kEstimatedUpper) {
      estimated_nanos_total.Increment(static_cast<uint64_t>(record.charged.usd_nanos));
    }
  }
  for (const FrozenScope& scope : changes.frozen) {
    log::Warning("spending in a scope was frozen",
                 {{"scope", scope.scope}, {"actor", scope.actor}, {"reason", scope.reason}});
  }
  for (const std::string& scope : changes.unfrozen) {
    log::Info("spending in a scope goes on", {{"scope", scope}});
  }
  for (const OwnerEpoch& owner : changes.owners) {
    log::Info("an owner begins an epoch", {{"owner", owner.owner}, {"epoch", owner.epoch}});
  }
  for (const events::EventDraft& event : changes.events) {
    if (event.kind == "budget.warned") warnings_total.Increment();
  }
  for (const Reservation& reservation : changes.updated) {
    if (reservation.state == ReservationState::kExpiredCharged) {
      expired_total.Increment({NameOf(reservation.order.kind)});
    }
    if (reservation.order.kind == ReservationKind::kCall &&
        reservation.settled.usd_nanos > reservation.held.usd_nanos) {
      overruns_total.Increment();
      overage_nanos_total.Increment(
          static_cast<uint64_t>(reservation.settled.usd_nanos - reservation.held.usd_nanos));
      log::Warning("a settlement is above its hold",
                   {{"reservation", reservation.key()},
                    {"held_usd_nanos", reservation.held.usd_nanos},
                    {"settled_usd_nanos", reservation.settled.usd_nanos}});
    }
  }
}

}  // namespace slipway::ledger
