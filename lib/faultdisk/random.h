#pragma once

#include <cstdint>

namespace slipway::faultdisk {

// A stream of numbers that its seed decides, on every platform and with every library. Not for
// secrets. Not thread-safe.
class Random final {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {  // SplitMix64.
    uint64_t mixed = (state_ += 0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }

  // In [0, bound); `bound` is above 0. The bias of the remainder does not matter here.
  uint64_t Below(uint64_t bound) { return Next() % bound; }

  // In [first, last].
  int64_t Between(int64_t first, int64_t last) {
    return first + static_cast<int64_t>(Below(static_cast<uint64_t>(last - first) + 1));
  }

  bool OneIn(uint64_t count) { return Below(count) == 0; }
  bool Percent(uint64_t percent) { return Below(100) < percent; }

 private:
  uint64_t state_;
};

}  // namespace slipway::faultdisk
