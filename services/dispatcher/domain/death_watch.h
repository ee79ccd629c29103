#pragma once

#include <deque>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/dispatcher/domain/keys.h"

namespace slipway::dispatcher {

// Tells agents that died of their task from those that died with their host: what ends the agents
// of several tasks on one host within `window` is nobody's but the host's. Not thread-safe.
class DeathWatch final {
 public:
  explicit DeathWatch(absl::Duration window) : window_(window) {}

  struct Verdict {
    bool is_shared = false;           // Not the task's fault.
    std::vector<TaskKey> exonerated;  // Whose earlier death on the host is not theirs either.
  };

  // An agent died at work on `task` on `host`; `now` is Clock::Elapsed.
  Verdict Note(const TaskKey& task, const std::string& host, absl::Duration now);

 private:
  struct Death {
    TaskKey task;
    std::string host;
    absl::Duration time;
    bool is_shared = false;
  };

  const absl::Duration window_;
  std::deque<Death> recent_;  // Within the window, oldest first.
};

}  // namespace slipway::dispatcher
