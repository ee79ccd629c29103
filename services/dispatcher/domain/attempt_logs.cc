#include "services/dispatcher/domain/attempt_logs.h"

#include "absl/strings/str_cat.h"

namespace slipway::dispatcher {

absl::string_view Name(LogLoss loss) {
  switch (loss) {
    case LogLoss::kNone:
      return "";
    case LogLoss::kNotReceived:
      return "NOT_RECEIVED";
    case LogLoss::kNotStored:
      return "NOT_STORED";
    case LogLoss::kDamaged:
      return "DAMAGED";
    case LogLoss::kAttemptLimit:
      return "ATTEMPT_LIMIT";
    case LogLoss::kTotalLimit:
      return "TOTAL_LIMIT";
    case LogLoss::kExpired:
      return "EXPIRED";
  }
  return "";
}

std::string LossMarker(LogLoss loss, int64_t lost_bytes) {
  return absl::StrCat("[slipway: LOG_", Name(loss), ": ", lost_bytes,
                      lost_bytes == 1 ? " byte" : " bytes", " of this log are lost]");
}

}  // namespace slipway::dispatcher
