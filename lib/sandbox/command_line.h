#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/sandbox/spec.h"

namespace slipway::sandbox {

// Descriptors that the bubblewrap process finds open.
constexpr int kArgumentsFd = 10;
constexpr int kSeccompFd = 11;
constexpr int kStatusFd = 12;
constexpr int kPasswdFd = 13;
constexpr int kGroupFd = 14;
constexpr int kHostsFd = 15;
constexpr int kBlockFd = 16;  // The command waits until this is closed.

// Refuses what bubblewrap could misread and host paths that the sandbox's user cannot reach.
absl::Status Validate(const Spec& spec, bool root);

// The program to start: drops to spec.uid when `root`, enters bubblewrap, sets the limits, runs.
std::vector<std::string> CommandLine(const Spec& spec, bool root);

// The program that sets limits, up to where the limited command follows.
std::vector<std::string> LimitCommand(const Limits& limits);

// The options of bubblewrap, NUL-separated, for its --args.
std::string BubblewrapArguments(const Spec& spec);

}  // namespace slipway::sandbox
