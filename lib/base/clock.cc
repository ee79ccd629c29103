#include "lib/base/clock.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "lib/base/mutex.h"

namespace slipway::base {
namespace {

// Calls due timers in order of time from one thread. Never destroyed: timers may outlive main.
class TimerThread final {
 public:
  using Key = std::pair<absl::Duration, uint64_t>;

  Key Add(absl::Duration due, absl::AnyInvocable<void()> call) {
    MutexLock lock(mutex_);
    if (!started_) {
      started_ = true;
      std::thread([this] { Loop(); }).detach();
    }
    const Key key{due, next_++};
    pending_.emplace(key, std::move(call));
    if (pending_.begin()->first == key) changed_.NotifyAll();  // Else the thread wakes in time.
    return key;
  }

  void Cancel(const Key& key) {
    MutexLock lock(mutex_);
    pending_.erase(key);
    while (running_ == key.second && runner_ != std::this_thread::get_id()) changed_.Wait(mutex_);
  }

  static absl::Duration Elapsed() {
    return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
  }

 private:
  void Loop() {
    mutex_.Lock();
    runner_ = std::this_thread::get_id();
    while (true) {
      if (pending_.empty()) {
        changed_.Wait(mutex_);
        continue;
      }
      const auto first = pending_.begin();
      const absl::Duration wait = first->first.first - Elapsed();
      if (wait > absl::ZeroDuration()) {
        changed_.WaitFor(mutex_, wait);
        continue;
      }
      absl::AnyInvocable<void()> call = std::move(first->second);
      running_ = first->first.second;
      pending_.erase(first);
      mutex_.Unlock();
      call();
      call = nullptr;
      mutex_.Lock();
      running_ = 0;
      changed_.NotifyAll();
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::map<Key, absl::AnyInvocable<void()>> pending_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  uint64_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread::id runner_ ABSL_GUARDED_BY(mutex_);
};

TimerThread& Timers() {
  static auto* const timers = new TimerThread;
  return *timers;
}

class RealTimer final : public Timer {
 public:
  explicit RealTimer(TimerThread::Key key) : key_(key) {}
  ~RealTimer() override { Timers().Cancel(key_); }

 private:
  TimerThread::Key key_;
};

class SystemClock final : public Clock {
 public:
  // Not absl::Now(), which goes on by the old time for some seconds after the clock was set.
  absl::Time Now() const override { return absl::FromChrono(std::chrono::system_clock::now()); }
  absl::Duration Elapsed() const override { return TimerThread::Elapsed(); }
  std::unique_ptr<Timer> RunAfter(absl::Duration delay, absl::AnyInvocable<void()> call) override {
    const absl::Duration due = Elapsed() + std::max(delay, absl::ZeroDuration());
    return std::make_unique<RealTimer>(Timers().Add(due, std::move(call)));
  }
};

}  // namespace

Clock& RealClock() {
  static auto* const clock = new SystemClock;
  return *clock;
}

}  // namespace slipway::base
