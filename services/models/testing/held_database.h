#pragma once

#include <string>
#include <thread>

#include "lib/base/mutex.h"
#include "lib/sqlite/database.h"

namespace slipway::models {

// Keeps everybody from writing to a database, as a slow disk does, from construction to
// destruction.
class HeldDatabase final {
 public:
  explicit HeldDatabase(const std::string& path)
      : database_(sqlite::Database::Open(path).value()), thread_([this] { Hold(); }) {
    base::MutexLock lock(mutex_);
    while (!held_) changed_.Wait(mutex_);
  }
  ~HeldDatabase() {
    {
      base::MutexLock lock(mutex_);
      released_ = true;
      changed_.NotifyAll();
    }
    thread_.join();
  }

 private:
  void Hold() {
    const absl::Status held = database_->Write([this](sqlite::Transaction&) {
      base::MutexLock lock(mutex_);
      held_ = true;
      changed_.NotifyAll();
      while (!released_) changed_.Wait(mutex_);
      return absl::OkStatus();
    });
    held.IgnoreError();  // There was nothing to write.
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<sqlite::Database> database_;
  std::thread thread_;
};

}  // namespace slipway::models
