#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace slipway::testkit {

// What this process takes of the machine's memory since the growth was made, as Linux counts it.
class MemoryGrowth final {
 public:
  // 0 where a sanitizer is compiled in: it keeps what was freed, and shadows the rest.
  int64_t bytes() const {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    return Resident() - begin_;
#endif
  }

 private:
  static int64_t Resident() {
    int64_t all = 0;
    int64_t resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    return resident * sysconf(_SC_PAGESIZE);
  }

  int64_t begin_ = Resident();
};

}  // namespace slipway::testkit
