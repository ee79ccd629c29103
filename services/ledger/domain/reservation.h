#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/ledger/domain/amounts.h"
#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/scope_path.h"

namespace slipway::ledger {

enum class ReservationKind { kCall = 1, kEnvelope = 2 };

enum class ReservationState {
  kHeld = 1,
  kDenied = 2,
  kSettled = 3,
  kReleased = 4,
  kExpiredCharged = 5,
  kSettledLate = 6,
};

enum class DenialCause {
  kLimit = 1,
  kHeldBySiblings = 2,
  kNeverFits = 3,
  kFrozen = 4,
  kNoPrice = 5,
  kNoBudget = 6,
};

// Why nothing can have been billed.
enum class Proof { kNotSent = 1, kConnectFailed = 2, kUpstreamErrorBeforeOutput = 3 };

// Why a reservation was refused, as it was then.
struct Denial {
  DenialCause cause = DenialCause::kLimit;
  std::optional<Balance> balance;  // Of the budget that refused; absent when none did.
  int64_t requested = 0;
  std::optional<absl::Time> retry_time;
  std::string frozen_scope;  // Of kFrozen: what a person froze; empty when a budget is frozen.
};

// What is held and spent in one bucket. Its window is chosen once, when it is made.
struct Leg {
  std::string budget;
  absl::Time window_start;
  Metric metric = Metric::kUsdNanos;
  int64_t amount = 0;  // Still held.
  int64_t posted = 0;
};

// What a caller asks for.
struct ReserveOrder {
  std::string key;
  ReservationKind kind = ReservationKind::kCall;
  ScopePath scopes;
  Amounts amounts;
  Amounts minimum;
  std::string envelope;
  absl::Duration lifetime;
  std::string owner;
  std::string provider;
  std::string model;
  std::string service_tier;
  int64_t owner_epoch = 0;  // Which life of the owner asks; 0: not counted.
};

struct Reservation {
  ReserveOrder order;  // As it was checked and completed.
  ReservationState state = ReservationState::kHeld;
  Amounts held;            // What was granted, and topped up.
  Amounts settled;         // Of an envelope: what its calls have spent so far.
  absl::Time charge_time;  // Decides its windows: its own start, or that of its envelope.
  absl::Time expire_time;
  std::optional<Denial> denial;
  std::vector<Leg> legs;
  std::string end_digest;  // Of the request that ended it, so that a repeat is known.
  bool drawing = false;    // A call whose money is part of an open envelope's.
  Amounts open_calls;      // Of an envelope: what its open calls hold.

  const std::string& key() const { return order.key; }

  // What callers are told: all but the legs, which are most of it.
  Reservation Outcome() const;
};

const char* NameOf(ReservationKind kind);
const char* NameOf(ReservationState state);
const char* NameOf(DenialCause cause);
const char* NameOf(Proof proof);

}  // namespace slipway::ledger
