#include "services/models/domain/recovery.h"

#include <vector>

#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "services/models/domain/call_event.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

Settlement SettlementAfterCrash(const CallRecord& record, const Providers& providers) {
  Settlement settlement = {.reservation = record.id,
                           .provider = record.provider,
                           .model = record.model,
                           .service_tier = record.service_tier,
                           .asked_model = record.model,
                           .asked_tier = record.service_tier};
  const auto provider = providers.find(record.provider);
  settlement.free = provider != providers.end() && provider->second->free();
  if (record.phase == Phase::kReserving) {
    settlement.kind = Settlement::Kind::kRelease;
    return settlement;
  }
  Reconciliation books;
  if (provider != providers.end()) books = provider->second->Reconcile(record.id);
  switch (books.kind) {
    case Reconciliation::Kind::kBilled:
      settlement.kind = Settlement::Kind::kUsage;
      settlement.tokens = books.tokens;
      break;
    case Reconciliation::Kind::kNotBilled:
      settlement.kind = Settlement::Kind::kRelease;
      break;
    case Reconciliation::Kind::kUnknown:
      settlement.kind = Settlement::Kind::kUnknown;
      break;
  }
  return settlement;
}

// Holds that were asked for beside their records, which the end of the process kept from being
// made. They are owed a release for as long as the ledger may yet take what was asked of it.
absl::Status ReleaseUnrecorded(Store& store, const std::string& boot) {
  ASSIGN_OR_RETURN(const Store::Unrecorded unrecorded, store.HeldUnrecorded(boot));
  for (const std::string& id : unrecorded.tries) {
    const Settlement release = {
        .reservation = id, .kind = Settlement::Kind::kRelease, .proof = Proof::kNotSent};
    RETURN_IF_ERROR(store.Owe(release, unrecorded.owner));
    log::Warning("releases the hold of a call that was not recorded yet", {{"call", id}});
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RecoverCalls(Store& store, const Providers& providers, base::Clock& clock,
                          const std::string& owner, const std::string& boot) {
  RETURN_IF_ERROR(ReleaseUnrecorded(store, boot));
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<CallRecord> left,
                     store.LeftRunning(owner, boot, kOwedBatch));
    if (left.empty()) return absl::OkStatus();
    for (CallRecord record : left) {
      const Settlement settlement = SettlementAfterCrash(record, providers);
      const bool nothing_billed = settlement.kind == Settlement::Kind::kRelease;
      record.phase = Phase::kEnded;
      record.end_time = clock.Now();
      record.outcome = nothing_billed ? "FAILED" : "INCOMPLETE";
      record.reason = "INSTANCE_GONE";
      record.error = nothing_billed
                         ? ProviderUnavailable(record.provider, "the service stopped meanwhile")
                         : OutcomeUnknown(record.call_id, "the service stopped meanwhile");
      record.tokens = settlement.tokens;
      if (nothing_billed) record.charge_usd_nanos = 0;
      RETURN_IF_ERROR(store.End(record, settlement, CallFinished(record)));
      log::Warning("ended a call of an instance that is gone",
                   {{"call", record.id}, {"outcome", record.outcome}});
    }
  }
}

}  // namespace slipway::models
