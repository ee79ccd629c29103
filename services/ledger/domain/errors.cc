#include "services/ledger/domain/errors.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "lib/base/error.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {
namespace {

using absl::StatusCode;
using base::Error;

std::string Text(absl::string_view text) { return std::string(text); }

}  // namespace

absl::Status KeyInvalid(absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "KEY_INVALID",
               absl::StrCat("the key ", problem, "; it has 1 to 200 printable ASCII characters"));
}

absl::Status ScopeInvalid(absl::string_view scope, absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "SCOPE_INVALID",
               absl::StrCat("scope '", scope, "' cannot be used: ", problem),
               {{"scope", Text(scope)}});
}

absl::Status AmountInvalid(absl::string_view field, int64_t value, int64_t value_max) {
  return Error(StatusCode::kInvalidArgument, "AMOUNT_INVALID",
               absl::StrCat(field, " is ", value, "; it must be from 0 to ", value_max),
               {{"field", Text(field)},
                {"value", absl::StrCat(value)},
                {"value_max", absl::StrCat(value_max)}});
}

absl::Status AmountAboveRoom(absl::string_view counter, int64_t value, int64_t room) {
  return Error(
      StatusCode::kInvalidArgument, "AMOUNT_INVALID",
      absl::StrCat(value, " more is too much for ", counter, ", which has room for ", room),
      {{"value", absl::StrCat(value)}, {"value_max", absl::StrCat(room)}});
}

absl::Status HeldTooMuch(int64_t held_max) {
  return Error(
      StatusCode::kInvalidArgument, "AMOUNT_INVALID",
      absl::StrCat("a budget cannot begin here: the holds that it would count add up to more "
                   "than ",
                   held_max, "; settle or release some of them first"),
      {{"field", "scope"}, {"value_max", absl::StrCat(held_max)}});
}

absl::Status DeltaBelowCost(int64_t delta, int64_t cost) {
  return Error(StatusCode::kInvalidArgument, "AMOUNT_INVALID",
               absl::StrCat("delta_usd_nanos is ", delta, ", which would take the cost, ", cost,
                            ", below 0"),
               {{"field", "delta_usd_nanos"},
                {"value", absl::StrCat(delta)},
                {"value_min", absl::StrCat(-cost)}});
}

absl::Status CostTooLarge(int64_t cost_max) {
  return Error(StatusCode::kInvalidArgument, "AMOUNT_INVALID",
               absl::StrCat("these tokens cost more than ", cost_max,
                            " nano-USD, the most of one call; check them and the price"),
               {{"field", "tokens"}, {"value_max", absl::StrCat(cost_max)}});
}

absl::Status LifetimeInvalid(absl::Duration lifetime) {
  return Error(StatusCode::kInvalidArgument, "LIFETIME_INVALID",
               absl::StrCat("lifetime is ", absl::FormatDuration(lifetime),
                            "; it must be more than 0 and at most 24h"),
               {{"lifetime", absl::FormatDuration(lifetime)}});
}

absl::Status FieldInvalid(absl::string_view field, absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "FIELD_INVALID", absl::StrCat(field, " ", problem),
               {{"field", Text(field)}});
}

absl::Status ProofRequired() {
  return Error(StatusCode::kInvalidArgument, "PROOF_REQUIRED",
               "a hold is released only with a proof that nothing was billed; else settle it");
}

absl::Status PriceUnknownForSettlement(absl::string_view provider, absl::string_view model) {
  return Error(StatusCode::kInvalidArgument, "PRICE_UNKNOWN",
               absl::StrCat("no price of ", provider, "/", model,
                            " is known; import one, name the cost, or settle as unknown"),
               {{"provider", Text(provider)}, {"model", Text(model)}});
}

absl::Status TimeZoneUnknown(absl::string_view name) {
  return Error(StatusCode::kInvalidArgument, "TIME_ZONE_UNKNOWN",
               absl::StrCat("'", name, "' is no IANA time zone such as Europe/Berlin"),
               {{"time_zone", Text(name)}});
}

absl::Status TimeZoneFixed(absl::string_view scope, absl::string_view zone) {
  return Error(StatusCode::kInvalidArgument, "TIME_ZONE_FIXED",
               absl::StrCat("the budget of ", scope, " counts in time zone '", zone,
                            "' and cannot change it: that would split a window"),
               {{"scope", Text(scope)}, {"time_zone", Text(zone)}});
}

absl::Status PageInvalid(absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "PAGE_INVALID", problem);
}

absl::Status GroupInvalid(absl::string_view group) {
  return Error(StatusCode::kInvalidArgument, "GROUP_INVALID",
               absl::StrCat("usage cannot be grouped by '", group,
                            "'; use day, project, plan, task, attempt, role, provider or model, "
                            "each once"),
               {{"group", Text(group)}});
}

absl::Status PriceInvalid(const Price& row, absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "PRICE_INVALID",
               absl::StrCat("price of ", row.provider, "/", row.model, ": ", problem),
               {{"provider", row.provider}, {"model", row.model}});
}

absl::Status PriceFileInvalid(absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "PRICE_FILE_INVALID", problem);
}

absl::Status PriceFileUnreadable(absl::string_view path, absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "PRICE_FILE_UNREADABLE",
               absl::StrCat("price file '", path, "' cannot be read: ", problem),
               {{"path", Text(path)}});
}

absl::Status MessageTooLarge(int operations) {
  return Error(StatusCode::kInvalidArgument, "MESSAGE_TOO_LARGE",
               absl::StrCat("a message of ", operations, " operations was left undone: at most ",
                            kMessageOperationsMax, " and ", kMessageBytesMax, " bytes are read"));
}

absl::Status OperationUnknown() {
  return Error(StatusCode::kInvalidArgument, "OPERATION_UNKNOWN",
               "the operation has no request that this ledger knows; it is older than its caller, "
               "or none was given");
}

absl::Status ReservationUnknown(absl::string_view key) {
  return Error(StatusCode::kNotFound, "RESERVATION_UNKNOWN",
               absl::StrCat("nothing was ever held under key '", key, "'"), {{"key", Text(key)}});
}

absl::Status EnvelopeUnknown(absl::string_view key) {
  return Error(StatusCode::kNotFound, "ENVELOPE_UNKNOWN",
               absl::StrCat("there is no envelope '", key, "'"), {{"envelope", Text(key)}});
}

absl::Status BudgetUnknown(absl::string_view name) {
  return Error(StatusCode::kNotFound, "BUDGET_UNKNOWN",
               absl::StrCat("there is no budget '", name, "'"), {{"budget", Text(name)}});
}

absl::Status PriceUnknown(absl::string_view provider, absl::string_view model,
                          absl::string_view tier) {
  return Error(StatusCode::kNotFound, "PRICE_UNKNOWN",
               absl::StrCat("no price of ", provider, "/", model, " is known; import one"),
               {{"provider", Text(provider)}, {"model", Text(model)}, {"tier", Text(tier)}});
}

absl::Status KeyReused(absl::string_view key, const std::vector<std::string>& fields) {
  const std::string names = absl::StrJoin(fields, ",");
  return Error(StatusCode::kAlreadyExists, "KEY_REUSED",
               absl::StrCat("key '", key, "' was used with other values of: ", names,
                            "; a new request needs a new key"),
               {{"key", Text(key)}, {"fields", names}});
}

absl::Status EnvelopeClosed(absl::string_view key, ReservationState state) {
  return Error(StatusCode::kFailedPrecondition, "ENVELOPE_CLOSED",
               absl::StrCat("envelope '", key, "' is ", NameOf(state), " and gives no more"),
               {{"envelope", Text(key)}, {"state", NameOf(state)}});
}

absl::Status ReservationClosed(absl::string_view key, ReservationState state) {
  return Error(StatusCode::kFailedPrecondition, "RESERVATION_CLOSED",
               absl::StrCat("reservation '", key, "' has ended in another way: ", NameOf(state)),
               {{"key", Text(key)}, {"state", NameOf(state)}});
}

absl::Status ReservationOpen(absl::string_view key) {
  return Error(StatusCode::kFailedPrecondition, "RESERVATION_OPEN",
               absl::StrCat("reservation '", key, "' is still held; settle or release it first"),
               {{"key", Text(key)}});
}

absl::Status OwnerFenced(absl::string_view owner, int64_t epoch, int64_t current) {
  return Error(
      StatusCode::kFailedPrecondition, "OWNER_FENCED",
      absl::StrCat("epoch ", epoch, " of owner '", owner, "' is taken for dead: epoch ", current,
                   " is the first that may reserve"),
      {{"owner", Text(owner)}, {"epoch", absl::StrCat(epoch)}, {"current", absl::StrCat(current)}});
}

absl::Status AuditCancelled() {
  return Error(StatusCode::kCancelled, "AUDIT_CANCELLED", "nobody waits for the audit any more");
}

absl::Status AuditRunning() {
  return Error(StatusCode::kResourceExhausted, "AUDIT_RUNNING",
               "another audit is under way and reads everything; wait for it");
}

absl::Status PriceSuspicious(const Price& row, int64_t old_rate, int64_t new_rate) {
  return Error(StatusCode::kFailedPrecondition, "PRICE_SUSPICIOUS",
               absl::StrCat("a rate of ", row.provider, "/", row.model, " would change from ",
                            old_rate, " to ", new_rate, " pico-USD; accept '", row.provider, "/",
                            row.model, "' if that is meant"),
               {{"provider", row.provider},
                {"model", row.model},
                {"old_rate", absl::StrCat(old_rate)},
                {"new_rate", absl::StrCat(new_rate)}});
}

absl::Status DecisionsCorrupt(absl::string_view database, int64_t decision,
                              absl::string_view problem) {
  return Error(absl::StatusCode::kDataLoss, "DECISIONS_CORRUPT",
               absl::StrCat("the log of decisions beside ", database, " is damaged at decision ",
                            decision, ": ", problem,
                            "; restore the database and both files of its log from one backup"),
               {{"database", std::string(database)}, {"decision", absl::StrCat(decision)}});
}

absl::Status DecisionsMissing(absl::string_view database) {
  return Error(absl::StatusCode::kDataLoss, "DECISIONS_MISSING",
               absl::StrCat(database,
                            " was not closed, and its log of decisions is not complete; "
                            "put ",
                            database,
                            "-decisions0 and -decisions1 beside it, which belong "
                            "to it"),
               {{"database", std::string(database)}});
}

absl::Status DecisionsForeign(absl::string_view database) {
  return Error(
      absl::StatusCode::kDataLoss, "DECISIONS_FOREIGN",
      absl::StrCat("the log of decisions beside ", database, " belongs to another database; move ",
                   database, "-decisions0 and -decisions1 away or put theirs back"),
      {{"database", std::string(database)}});
}

absl::Status ShuttingDown() {
  return Error(StatusCode::kUnavailable, "SHUTTING_DOWN",
               "the ledger is stopping; what it did not answer is asked again with the same key");
}

absl::Status DecisionLost(const absl::Status& cause) {
  return Error(absl::StatusCode::kUnavailable, "COMMIT_FAILED",
               absl::StrCat("nothing was written: ", cause.ToString()));
}

absl::Status VersionMismatch(absl::string_view budget, int64_t expected, int64_t actual) {
  return Error(StatusCode::kAborted, "VERSION_MISMATCH",
               absl::StrCat("budget '", budget, "' has version ", actual, ", not ", expected,
                            "; read it again"),
               {{"budget", Text(budget)},
                {"expected", absl::StrCat(expected)},
                {"actual", absl::StrCat(actual)}});
}

}  // namespace slipway::ledger
