#pragma once

#include <cstdint>
#include <string>

namespace slipway::dispatcher {

inline constexpr char kOwnerLabel[] = "slipway.dispatcher";
inline constexpr char kHostLabel[] = "slipway.host";
inline constexpr char kAgentLabel[] = "slipway.agent";

// Where an agent works in its container: in memory, gone with it.
inline constexpr char kWorkDirectory[] = "/work";

// One agent's container.
struct ContainerOptions {
  std::string image;
  std::string program;
  std::string owner;
  std::string host;
  std::string agent;
  std::string token;
  std::string directory;  // Of its endpoints.
  unsigned uid = 0;
  int64_t memory_bytes = 0;
  int64_t milli_cpus = 0;
  int64_t processes = 0;
  int64_t workspace_bytes = 0;
  int64_t temporary_bytes = 0;
};

// The container as the Engine API takes it: no network, no capabilities, no new privileges, the
// engine's seccomp filter, a read-only root, no root user, its own IPC, limits on everything, and
// of the host one directory, read-only, with two sockets. The agent is process 1, so that what it
// runs can neither signal nor outlive it.
std::string ContainerSpec(const ContainerOptions& options);

}  // namespace slipway::dispatcher
