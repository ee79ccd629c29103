#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace slipway::sandbox {

struct TreeMember {
  pid_t pid = 0;
  char state = 0;           // As in proc(5): 'T' is stopped, 'Z' a zombie.
  uint64_t start_time = 0;  // With the pid names a process uniquely.
  absl::Duration cpu_time;  // Its own and that of its reaped children.
};

// `root` and all its descendants; empty when there is no such process.
std::vector<TreeMember> ReadTree(pid_t root);

// Signals exactly that process, never a later one with the same number. False when it is gone.
bool SignalMember(const TreeMember& member, int signal);

}  // namespace slipway::sandbox
