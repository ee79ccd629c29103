#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "lib/base/file.h"

namespace slipway::agent {

// Wakes a thread that polls. Thread-safe.
class WakeFd final {
 public:
  WakeFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  int fd() const { return fd_.get(); }

  void Wake() {
    const uint64_t one = 1;
    // A full counter is a wake-up already.
    [[maybe_unused]] const ssize_t written = write(fd_.get(), &one, sizeof(one));
  }

  void Clear() {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t taken = read(fd_.get(), &count, sizeof(count));
  }

 private:
  const base::UniqueFd fd_;
};

}  // namespace slipway::agent
