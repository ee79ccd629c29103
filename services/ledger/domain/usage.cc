#include "services/ledger/domain/usage.h"

namespace slipway::ledger {

const char* NameOf(Basis basis) {
  switch (basis) {
    case Basis::kReported:
      return "REPORTED";
    case Basis::kEstimatedUpper:
      return "ESTIMATED_UPPER";
    case Basis::kReconciled:
      return "RECONCILED";
  }
  return "";
}

}  // namespace slipway::ledger
