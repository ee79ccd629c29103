#pragma once

#include "absl/status/statusor.h"
#include "lib/sqlite/reader.h"
#include "services/ledger/domain/ledger_store.h"

// The lists of the ledger, read from the tables.
namespace slipway::ledger {

absl::StatusOr<Page<Reservation>> SelectReservations(sqlite::Reader& reader,
                                                     const ReservationFilter& filter,
                                                     const PageRequest& page);
absl::StatusOr<Page<Balance>> SelectBalances(sqlite::Reader& reader, const std::string& scope,
                                             absl::Time now, const PageRequest& page);
// What open holds keep, in nano-USD.
absl::StatusOr<int64_t> SelectReservedUsd(sqlite::Reader& reader);
absl::StatusOr<BudgetHistory> SelectBudgetHistory(sqlite::Reader& reader, const std::string& id,
                                                  absl::Time now);
absl::StatusOr<Page<FrozenScope>> SelectFrozen(sqlite::Reader& reader, const PageRequest& page);
absl::StatusOr<Page<UsageRollup>> SelectRollups(sqlite::Reader& reader, const UsageFilter& filter,
                                                const UsageGroups& groups, const PageRequest& page);
absl::StatusOr<Page<UsageRecord>> SelectUsage(sqlite::Reader& reader, const std::string& scope,
                                              const PageRequest& page);
absl::StatusOr<Page<Price>> SelectPrices(sqlite::Reader& reader, const PriceFilter& filter,
                                         const PageRequest& page);

}  // namespace slipway::ledger
