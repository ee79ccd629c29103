#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cli/command/command_set.h"
#include "cli/command/invocation.h"

// What the commands about money share.
namespace slipway::cli {

// The full name of a scope of money: those of work, and the organisation and roles besides. Empty
// stays empty.
absl::StatusOr<std::string> MoneyScope(const std::string& text, Invocation& invocation);

// "$1.20", or a count with separators.
std::string AmountText(ledger::v1::Metric metric, int64_t amount);

// "MONTH" of WINDOW_MONTH as "month".
std::string LowerTail(const std::string& enum_name);

// A date such as 2026-11-01, in UTC, or a time of RFC 3339. ARGUMENT_INVALID.
absl::StatusOr<absl::Time> ParseWhen(const std::string& text);

// The parts of the families, below the group that they belong to.
void AddBudgetDetails(CommandSet& commands, CLI::App& group);  // show, freeze, unfreeze, frozen
void AddPriceCommands(CommandSet& commands, CLI::App& group);  // prices import, prices list
void AddUsageCommand(CommandSet& commands);

}  // namespace slipway::cli
