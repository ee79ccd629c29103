#include "services/dispatcher/fleet/kill_switch.h"

#include <unistd.h>

#include <utility>

namespace slipway::dispatcher {
namespace {

constexpr absl::Duration kLookInterval = absl::Seconds(1);

}  // namespace

KillSwitch::KillSwitch(std::string path, base::Clock& clock, OnChanged on_changed)
    : path_(std::move(path)), clock_(clock), on_changed_(std::move(on_changed)) {
  if (!path_.empty()) Look();
}

void KillSwitch::Stop() {
  std::unique_ptr<base::Timer> timer;
  {
    base::MutexLock lock(mutex_);
    stopped_ = true;
    timer = std::move(timer_);
  }
  timer.reset();
}

// One stat of a local file a second: quick enough for a thread of the clock.
void KillSwitch::Look() {
  const bool on = access(path_.c_str(), F_OK) == 0;
  std::unique_ptr<base::Timer> last;
  {
    base::MutexLock lock(mutex_);
    if (stopped_) return;
    // The first look counts: the file may have come or gone while nobody looked.
    if (!looked_ || on != on_) on_changed_(on);
    looked_ = true;
    on_ = on;
    last = std::exchange(timer_, clock_.RunAfter(kLookInterval, [this] { Look(); }));
  }
}

}  // namespace slipway::dispatcher
