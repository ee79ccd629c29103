#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/ledger/domain/price_book.h"
#include "services/ledger/domain/reservation.h"

// Every error of the ledger; the protos say which RPC returns which.
namespace slipway::ledger {

// INVALID_ARGUMENT
absl::Status KeyInvalid(absl::string_view problem);
absl::Status ScopeInvalid(absl::string_view scope, absl::string_view problem);
absl::Status AmountInvalid(absl::string_view field, int64_t value, int64_t value_max);
// AMOUNT_INVALID, too: of numbers that are fine by themselves.
absl::Status AmountAboveRoom(absl::string_view counter, int64_t value, int64_t room);
absl::Status HeldTooMuch(int64_t held_max);
absl::Status DeltaBelowCost(int64_t delta, int64_t cost);
absl::Status CostTooLarge(int64_t cost_max);
absl::Status LifetimeInvalid(absl::Duration lifetime);
absl::Status FieldInvalid(absl::string_view field, absl::string_view problem);
absl::Status ProofRequired();
absl::Status PriceUnknownForSettlement(absl::string_view provider, absl::string_view model);
absl::Status TimeZoneUnknown(absl::string_view name);
absl::Status TimeZoneFixed(absl::string_view scope, absl::string_view zone);
absl::Status PageInvalid(absl::string_view problem);
absl::Status GroupInvalid(absl::string_view group);
absl::Status PriceInvalid(const Price& row, absl::string_view problem);
absl::Status PriceFileInvalid(absl::string_view problem);
absl::Status PriceFileUnreadable(absl::string_view path, absl::string_view problem);
absl::Status MessageTooLarge(int operations);
absl::Status OperationUnknown();

// NOT_FOUND
absl::Status ReservationUnknown(absl::string_view key);
absl::Status EnvelopeUnknown(absl::string_view key);
absl::Status BudgetUnknown(absl::string_view name);
absl::Status PriceUnknown(absl::string_view provider, absl::string_view model,
                          absl::string_view tier);

// ALREADY_EXISTS
absl::Status KeyReused(absl::string_view key, const std::vector<std::string>& fields);

// FAILED_PRECONDITION
absl::Status EnvelopeClosed(absl::string_view key, ReservationState state);
absl::Status ReservationClosed(absl::string_view key, ReservationState state);
absl::Status ReservationOpen(absl::string_view key);
absl::Status OwnerFenced(absl::string_view owner, int64_t epoch, int64_t current);
absl::Status PriceSuspicious(const Price& row, int64_t old_rate, int64_t new_rate);

// CANCELLED
absl::Status AuditCancelled();

// RESOURCE_EXHAUSTED
absl::Status AuditRunning();

// DATA_LOSS: the service does not start. `decision` is a line of the journal.
absl::Status DecisionsCorrupt(absl::string_view database, int64_t decision,
                              absl::string_view problem);
absl::Status DecisionsMissing(absl::string_view database);
absl::Status DecisionsForeign(absl::string_view database);

// UNAVAILABLE
absl::Status ShuttingDown();
absl::Status DecisionLost(const absl::Status& cause);

// ABORTED
absl::Status VersionMismatch(absl::string_view budget, int64_t expected, int64_t actual);

}  // namespace slipway::ledger
