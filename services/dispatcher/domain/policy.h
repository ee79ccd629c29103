#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace slipway::dispatcher {

// A command that decides whether a tree is good.
struct Validator {
  std::string name;
  std::vector<std::string> command;
  absl::Duration run_timeout = absl::ZeroDuration();
  std::string directory;
  std::string output_format;

  friend bool operator==(const Validator&, const Validator&) = default;
};

// What of a project's policy the dispatcher acts on; the reviewer has the rest.
struct RunPolicy {
  int retries_max = 3;
  absl::Duration attempt_timeout = absl::Minutes(30);
  int64_t task_limit_usd_nanos = 0;
  int parallel_max = 0;  // 0: the hosts decide.
  bool human_approval = false;
  std::vector<Validator> validators;
  bool skip_agent_checks = false;  // Agents do not run them on a change before they hand it in.

  friend bool operator==(const RunPolicy&, const RunPolicy&) = default;
};

// Whether a change is taken to its branch in one call: nothing has to run and nobody to approve it.
// The reviewer stops where it knows better.
inline bool LandsAtOnce(const RunPolicy& policy) {
  return policy.validators.empty() && !policy.human_approval;
}

}  // namespace slipway::dispatcher
