#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"

namespace slipway::models {

// Ends a call early: its caller went away, its key was revoked, or the service stops. Thread-safe.
class Cancellation final {
 public:
  // The first `why` stays. Calls the listener on this thread.
  void Cancel(absl::string_view why);

  bool cancelled() const;
  std::string why() const;  // Empty while it is not cancelled.

  // Calls `listener` once, now if it is cancelled already. It must not block or call back. Null
  // ends that: when this returns, the listener is not running.
  void Listen(absl::AnyInvocable<void()> listener);

 private:
  mutable base::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::string why_ ABSL_GUARDED_BY(mutex_);
  absl::AnyInvocable<void()> listener_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
