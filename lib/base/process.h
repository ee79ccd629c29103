#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::base {

// How a child process ended.
struct ProcessExit {
  int code = 0;    // Exit status; 0 when it was ended by a signal.
  int signal = 0;  // The signal that ended it; 0 when it exited.
  bool ok() const { return code == 0 && signal == 0; }
};

// A running child. Killed with its process group, and reaped, when the object goes.
// Not thread-safe, except that Signal may be called from any thread before Wait has returned.
class Process final {
 public:
  struct Options {
    std::vector<std::string> argv;           // argv[0] is looked up in PATH when it has no '/'.
    std::map<std::string, std::string> env;  // The whole environment, nothing is inherited...
    bool inherit_env = false;                // ...unless this is set; `env` then overrides.
    std::string directory;                   // Empty: the parent's.
    // Child descriptor -> parent descriptor. 0, 1, 2 that are not named are /dev/null, others are
    // closed in the child.
    std::map<int, int> fds;
    bool die_with_parent = true;  // SIGKILL when the thread that spawned it ends.
    bool new_session = true;      // A session and process group of its own.
  };

  static absl::StatusOr<Process> Spawn(const Options& options);

  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)), group_(other.group_) {}
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }

  // Sends `signal` to the child's process group; nothing when it has been reaped.
  void Signal(int signal);

  // Waits up to `timeout` for the end. DEADLINE_EXCEEDED when it still runs. After an end was
  // returned the process is reaped and pid() is -1.
  absl::StatusOr<ProcessExit> Wait(absl::Duration timeout = absl::InfiniteDuration());

 private:
  Process(pid_t pid, bool group) : pid_(pid), group_(group) {}

  pid_t pid_ = -1;
  bool group_ = false;
};

// Runs a command to its end and collects what it prints, up to `output_max` bytes a stream.
struct CommandResult {
  ProcessExit exit;
  std::string out;
  std::string err;
  bool timed_out = false;
  bool truncated = false;
};
absl::StatusOr<CommandResult> RunCommand(Process::Options options, absl::Duration timeout,
                                         std::string input = "", size_t output_max = 64u << 20);

}  // namespace slipway::base
