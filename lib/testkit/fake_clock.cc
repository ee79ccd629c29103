#include "lib/testkit/fake_clock.h"

namespace slipway::testkit {

class FakeClock::FakeTimer final : public base::Timer {
 public:
  FakeTimer(FakeClock& clock, Key key) : clock_(clock), key_(key) {}
  ~FakeTimer() override {
    base::MutexLock lock(clock_.mutex_);
    clock_.pending_.erase(key_);
  }

 private:
  FakeClock& clock_;
  const Key key_;
};

absl::Time FakeClock::Now() const {
  base::MutexLock lock(mutex_);
  return now_;
}

absl::Duration FakeClock::Elapsed() const {
  base::MutexLock lock(mutex_);
  return elapsed_;
}

std::unique_ptr<base::Timer> FakeClock::RunAfter(absl::Duration delay,
                                                 absl::AnyInvocable<void()> call) {
  base::MutexLock lock(mutex_);
  const Key key{elapsed_ + std::max(delay, absl::ZeroDuration()), next_++};
  pending_.emplace(key, std::move(call));
  return std::make_unique<FakeTimer>(*this, key);
}

void FakeClock::Advance(absl::Duration by) {
  mutex_.Lock();
  const absl::Duration target = elapsed_ + by;
  while (!pending_.empty() && pending_.begin()->first.first <= target) {
    const auto first = pending_.begin();
    now_ += first->first.first - elapsed_;
    elapsed_ = first->first.first;
    absl::AnyInvocable<void()> call = std::move(first->second);
    pending_.erase(first);
    mutex_.Unlock();
    call();
    mutex_.Lock();
  }
  now_ += target - elapsed_;
  elapsed_ = target;
  mutex_.Unlock();
}

void FakeClock::StepWall(absl::Duration by) {
  base::MutexLock lock(mutex_);
  now_ += by;
}

size_t FakeClock::pending_timers() const {
  base::MutexLock lock(mutex_);
  return pending_.size();
}

}  // namespace slipway::testkit
