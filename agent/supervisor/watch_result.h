#pragma once

#include "absl/status/statusor.h"

#include "agent/domain/errors.h"
#include "agent/domain/lease.h"
#include "agent/domain/result.h"
#include "agent/supervisor/sandbox_watch.h"

namespace slipway::agent {

// What an attempt comes to whose sandbox was ended from outside: GrantLost, a stop or a timeout.
inline absl::StatusOr<Result> ResultOfEnd(WatchOutcome::End end, const Lease& lease) {
  if (end != WatchOutcome::End::kStopped) {
    return Failure{.failure_class = FailureClass::kTimeout,
                   .reason = "ATTEMPT_TIMEOUT",
                   .detail = "the attempt's time was over"};
  }
  if (lease.stop_cause() == Lease::Cause::kTold) {
    return Stop{.reason = StopReason::kTold, .detail = "the agent was asked to end"};
  }
  return GrantLost("the dispatcher gave the attempt up");
}

}  // namespace slipway::agent
