#include "services/models/domain/cancellation.h"

#include <utility>

namespace slipway::models {

void Cancellation::Cancel(absl::string_view why) {
  base::MutexLock lock(mutex_);
  if (cancelled_) return;
  cancelled_ = true;
  why_ = std::string(why);
  if (listener_) listener_();
}

bool Cancellation::cancelled() const {
  base::MutexLock lock(mutex_);
  return cancelled_;
}

std::string Cancellation::why() const {
  base::MutexLock lock(mutex_);
  return why_;
}

void Cancellation::Listen(absl::AnyInvocable<void()> listener) {
  base::MutexLock lock(mutex_);
  listener_ = std::move(listener);
  if (cancelled_ && listener_) listener_();
}

}  // namespace slipway::models
