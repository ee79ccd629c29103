#include "services/ledger/domain/reservation.h"

namespace slipway::ledger {

Reservation Reservation::Outcome() const {
  return {.order = order,
          .state = state,
          .held = held,
          .settled = settled,
          .charge_time = charge_time,
          .expire_time = expire_time,
          .denial = denial,
          .end_digest = end_digest,
          .drawing = drawing,
          .open_calls = open_calls};
}

const char* NameOf(ReservationKind kind) {
  return kind == ReservationKind::kCall ? "CALL" : "ENVELOPE";
}

const char* NameOf(ReservationState state) {
  switch (state) {
    case ReservationState::kHeld:
      return "HELD";
    case ReservationState::kDenied:
      return "DENIED";
    case ReservationState::kSettled:
      return "SETTLED";
    case ReservationState::kReleased:
      return "RELEASED";
    case ReservationState::kExpiredCharged:
      return "EXPIRED_CHARGED";
    case ReservationState::kSettledLate:
      return "SETTLED_LATE";
  }
  return "";
}

const char* NameOf(DenialCause cause) {
  switch (cause) {
    case DenialCause::kLimit:
      return "LIMIT";
    case DenialCause::kHeldBySiblings:
      return "HELD_BY_SIBLINGS";
    case DenialCause::kNeverFits:
      return "NEVER_FITS";
    case DenialCause::kFrozen:
      return "FROZEN";
    case DenialCause::kNoPrice:
      return "NO_PRICE";
    case DenialCause::kNoBudget:
      return "NO_BUDGET";
  }
  return "";
}

const char* NameOf(Proof proof) {
  switch (proof) {
    case Proof::kNotSent:
      return "NOT_SENT";
    case Proof::kConnectFailed:
      return "CONNECT_FAILED";
    case Proof::kUpstreamErrorBeforeOutput:
      return "UPSTREAM_ERROR_BEFORE_OUTPUT";
  }
  return "";
}

}  // namespace slipway::ledger
