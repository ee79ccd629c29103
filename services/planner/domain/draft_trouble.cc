#include "services/planner/domain/draft_trouble.h"

#include <algorithm>
#include <optional>

#include "lib/base/error.h"
#include "services/planner/domain/limits.h"

namespace slipway::planner {
namespace {

constexpr absl::Duration kAskedMax = absl::Minutes(1);

}  // namespace

DraftTrouble ClassifyTrouble(const absl::Status& status) {
  const std::string reason = base::ReasonOf(status);
  if (reason == "APPROVAL_REQUIRED") return DraftTrouble::kWait;
  if (reason == "PROMPT_TOO_LARGE") return DraftTrouble::kTooLong;
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return DraftTrouble::kWait;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return DraftTrouble::kUnexplained;
    default:
      return DraftTrouble::kFatal;
  }
}

absl::Duration BackoffAfter(const absl::Status& status, int waits) {
  absl::Duration backoff = kBackoffFirst;
  for (int i = 0; i < waits && backoff < kBackoffMax; ++i) backoff *= 2;
  backoff = std::min(backoff, kBackoffMax);
  const std::optional<base::ErrorDetail> detail = base::DetailOf(status);
  if (detail.has_value() && detail->retry_after.has_value()) {
    backoff = std::max(backoff, std::min(*detail->retry_after, kAskedMax));
  }
  return backoff;
}

}  // namespace slipway::planner
