#pragma once

#include <utility>

#include "absl/functional/any_invocable.h"
#include "lib/base/mutex.h"

namespace slipway::planner {

// Tells a call that its result is no longer wanted. Thread-safe.
class Cancellation final {
 public:
  void Cancel() {
    base::MutexLock lock(mutex_);
    cancelled_ = true;
    if (call_) call_();
  }

  bool cancelled() const {
    base::MutexLock lock(mutex_);
    return cancelled_;
  }

  // Calls `call` when cancelled, at once when that has happened; at most one at a time. Forget ends
  // it: `call` is neither running nor will it run. It must not block nor use this object.
  void OnCancel(absl::AnyInvocable<void()> call) {
    base::MutexLock lock(mutex_);
    if (cancelled_) return call();
    call_ = std::move(call);
  }
  void Forget() {
    base::MutexLock lock(mutex_);
    call_ = nullptr;
  }

 private:
  mutable base::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::AnyInvocable<void()> call_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::planner
