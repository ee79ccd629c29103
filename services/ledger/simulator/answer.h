#pragma once

#include <optional>
#include <string>

#include "services/ledger/domain/ledger.h"

// Answers as text, to be compared and to be read by people. Every field that a client sees is in
// it, but for the balance of a denial, which is told apart.
namespace slipway::ledger::simulator {

std::string TextOf(const Amounts& amounts);
std::string TextOf(const ReserveOrder& order);
std::string TextOf(const Reservation& reservation);
std::string TextOf(const UsageRecord& usage);
std::string TextOf(const Settlement& settlement);
std::string TextOf(const Balance& balance);
std::string TextOf(const ledger::TopUp& top_up);
std::string TextOf(const std::optional<FrozenScope>& scope);
std::string TextOf(const PriceBook::Import& import);
std::string TextOf(const Closing& closing);

// The head of a reservation's text, for those who do not have one.
std::string StateText(ReservationState state, const Amounts& held, const Amounts& settled,
                      absl::Time charge_time, absl::Time expire_time);
std::string DenialText(DenialCause cause, std::optional<absl::Time> retry,
                       const std::string& frozen_scope);
std::string BalanceText(const Budget& budget, int64_t label, const Bucket& bucket);

// What of a denial may differ between budgets that refuse equally.
std::string ChoiceText(const Denial& denial);
std::string ChoiceText(int64_t requested, const std::string& balance);

}  // namespace slipway::ledger::simulator
