#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/base/process.h"
#include "lib/sandbox/spec.h"

namespace slipway::sandbox {

// What the kernel says of this process and its surroundings.
struct ContainerFacts {
  int pid = 0;
  unsigned uid = 0;
  std::string status;  // /proc/self/status.
  bool root_read_only = false;
  std::vector<std::string> interfaces;  // Of the network.
};
ContainerFacts ReadContainerFacts();

// SANDBOX_BROKEN with the first layer that is missing: process 1, no root, no capability in any
// set, no new privileges, a seccomp filter, a read-only root, and, unless it is a pod, no network
// but loopback.
absl::Status CheckFacts(const ContainerFacts& facts, Layer layer);

// CheckFacts on this process; then closes its memory and environment to other processes of the same
// user, from which nothing else protects them here.
absl::Status EnterContainer();

// Closes this process's memory and environment to others of the same user.
absl::Status CloseMemory();

// Empties /tmp and /home/agent, which an earlier command may have written; nothing when this is not
// process 1.
void CleanContainer();

// How to start the command of `spec` beside this process.
base::Process::Options ContainerOptions(const Spec& spec);

// Signals every process of the container but this one; nothing when this is not process 1.
void SignalOthers(int signal);

// Kills every process of the container but this one and reaps them; nothing when this is not
// process 1. No other thread may be waiting for a child.
void EndOthers();

}  // namespace slipway::sandbox
