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
metrics::Counter log_bytes_total({.name = "slipway_ledger_log_bytes_total",
                                  .description = "Bytes written to the log of decisions."});
metrics::Histogram log_seconds(
    {.name = "slipway_ledger_log_seconds",
     .description = "Writing and syncing a record of the log of decisions."},
    {1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3, 3.2e-3, 6.4e-3, 0.0128, 0.0256, 0.0512, 0.1, 0.5, 1, 5});
metrics::Histogram apply_changes({.name = "slipway_ledger_apply_changes",
                                  .description = "Changes that shared one commit of the tables."},
                                 {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1'024, 4'096});
metrics::Histogram apply_seconds({.name = "slipway_ledger_apply_seconds",
                                  .description = "Bringing logged changes into the tables."});
metrics::Counter warnings_total({.name = "slipway_ledger_warnings_total",
                                 .description = "Thresholds of limits that were crossed."});

}  // namespace

void CountLogged(int64_t changes, int64_t bytes, absl::Duration time) {
  batch_changes.Observe(static_cast<double>(changes));
  log_bytes_total.Increment(static_cast<uint64_t>(bytes));
  log_seconds.Observe({}, time);
}

void CountApplied(int64_t changes, absl::Duration time) {
  apply_changes.Observe(static_cast<double>(changes));
  apply_seconds.Observe({}, time);
}

namespace {

// Those of every call are looked up once.
void CountOperation(const std::string& operation) {
  static metrics::CounterCell& reserves = changes_total.At({"reserve"});
  static metrics::CounterCell& settles = changes_total.At({"settle"});
  if (operation == "reserve") return reserves.Increment();
  if (operation == "settle") return settles.Increment();
  changes_total.Increment({operation});
}

}  // namespace

void CountChanges(const Changes& changes) {
  for (const JournalEntry& entry : changes.journal) CountOperation(entry.operation);
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
