#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/supervisor/restart_policy.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/base/process.h"

namespace slipway::cli {

// A program that is kept running: started again whenever it ends, until it is stopped. It dies with
// this process. Thread-safe.
class ServiceProcess final {
 public:
  struct Options {
    std::string name;
    std::vector<std::string> argv;
    std::string log_path;  // Its standard error, appended.
    // Told in one line each time something happened that a person wants to know; on a thread of
    // this object.
    std::function<void(absl::string_view)> report;
  };

  struct State {
    pid_t pid = 0;             // 0 while it does not run.
    int starts = 0;            // How often it was started.
    std::string last_problem;  // How it ended the last time; empty when it never did.
  };

  ServiceProcess(Options options, base::Clock& clock);
  ~ServiceProcess() { Stop(absl::ZeroDuration()); }

  const std::string& name() const { return options_.name; }
  State state() const;

  // Asks it to end (SIGTERM), kills it after `grace`, and returns when it is gone. Idempotent.
  // False when it had to be killed.
  bool Stop(absl::Duration grace);

 private:
  void Supervise();
  bool RunOnce();
  base::ProcessExit WaitForExit(base::Process& process);
  void RecordExit(const base::ProcessExit& exit, absl::Duration ran);
  void WaitBeforeRestart(absl::Duration delay);
  bool stopping() const;

  const Options options_;
  base::Clock& clock_;
  RestartPolicy restarts_;
  base::UniqueFd wake_;  // Readable once it is to stop.

  mutable base::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_);
  absl::Duration grace_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool killed_ ABSL_GUARDED_BY(mutex_) = false;

  base::Mutex join_mutex_;
  std::thread thread_;
};

}  // namespace slipway::cli
