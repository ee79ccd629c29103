#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::dispatcher {

// Looks every second whether a file exists, and says so when that changes. Thread-safe.
class KillSwitch final {
 public:
  using OnChanged = std::function<void(bool on)>;

  // An empty path is never on.
  KillSwitch(std::string path, base::Clock& clock, OnChanged on_changed);
  ~KillSwitch() { Stop(); }

  void Stop();

 private:
  void Look();

  const std::string path_;
  base::Clock& clock_;
  const OnChanged on_changed_;
  base::Mutex mutex_;
  bool on_ ABSL_GUARDED_BY(mutex_) = false;
  bool looked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<base::Timer> timer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
