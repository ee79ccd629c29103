#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/domain/attempt_report.h"
#include "agent/domain/lease.h"
#include "agent/supervisor/wake_fd.h"
#include "lib/base/clock.h"
#include "lib/sandbox/spec.h"

namespace slipway::agent {

// How a watched sandbox ended.
struct WatchOutcome {
  enum class End {
    kExited,
    kRunTimeout,  // Its own limit passed.
    kDeadline,    // The attempt's limit passed.
    kStopped,     // The lease was stopped.
    kRefused,     // A sink refused what it printed.
  };
  End end = End::kExited;
  int code = 0;  // 128 + signal when a signal ended it. Only for kExited.
  absl::Status refusal;
  absl::Duration run_duration;  // Without the time for which it was frozen.
};

struct WatchOptions {
  sandbox::Spec spec;  // Its output descriptors and wall clock are set here.
  absl::Duration run_timeout = absl::InfiniteDuration();  // Time in which it was not frozen.
  absl::Duration deadline;                                // On Clock::Elapsed.
  // Get what it prints; an error kills it. Without `on_err` both streams go, in order, to `on_out`.
  absl::AnyInvocable<absl::Status(absl::string_view)> on_out;
  absl::AnyInvocable<absl::Status(absl::string_view)> on_err;
};

// What decides whether a sandbox may run.
struct WatchContext {
  base::Clock& clock;
  Lease& lease;
  AttemptReport& report;
  WakeFd& wake;  // Of the lease's changes.
};

// Runs a sandbox to its end, and only while the lease is held: a lapse freezes it, a renewal thaws
// it, a stop kills it. Output and CPU time count as activity. When it returns nothing of the
// sandbox runs any more. Errors are those of sandbox::Start and Wait.
absl::StatusOr<WatchOutcome> WatchSandbox(WatchOptions options, const WatchContext& context);

}  // namespace slipway::agent
