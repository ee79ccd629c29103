#include "cli/supervisor/service_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/supervisor/log_file.h"

namespace slipway::cli {
namespace {

// How often a child is looked at where the kernel has no descriptor for it.
constexpr absl::Duration kPollInterval = absl::Milliseconds(50);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(duration) + 1, 0, 3'600'000));
}

std::string ExitText(const base::ProcessExit& exit) {
  return exit.signal != 0 ? absl::StrCat("ended by signal ", exit.signal)
                          : absl::StrCat("ended with code ", exit.code);
}

}  // namespace

ServiceProcess::ServiceProcess(Options options, base::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      wake_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Supervise(); }) {}

ServiceProcess::State ServiceProcess::state() const {
  base::MutexLock lock(mutex_);
  return state_;
}

bool ServiceProcess::Stop(absl::Duration grace) {
  {
    base::MutexLock lock(mutex_);
    if (!stopping_) grace_ = grace;
    stopping_ = true;
  }
  eventfd_write(wake_.get(), 1);
  {
    base::MutexLock lock(join_mutex_);
    if (thread_.joinable()) thread_.join();
  }
  base::MutexLock lock(mutex_);
  return !killed_;
}

bool ServiceProcess::stopping() const {
  base::MutexLock lock(mutex_);
  return stopping_;
}

void ServiceProcess::Supervise() {
  while (!stopping()) {
    if (!RunOnce()) return;
  }
}

// One life of the program; false when it was stopped on purpose.
bool ServiceProcess::RunOnce() {
  base::Process::Options options;
  options.argv = options_.argv;
  options.inherit_env = true;  // Providers' keys may be in variables.
  absl::StatusOr<base::UniqueFd> log = OpenLog(options_.log_path);
  if (log.ok()) options.fds = {{2, log->get()}};
  const absl::Duration begin = clock_.Elapsed();
  absl::StatusOr<base::Process> process = base::Process::Spawn(options);
  {
    base::MutexLock lock(mutex_);
    ++state_.starts;
    if (process.ok()) state_.pid = process->pid();
    if (!process.ok()) state_.last_problem = std::string(process.status().message());
  }
  if (!process.ok()) {
    const absl::Duration delay =
        std::max(restarts_.DelayAfter(absl::ZeroDuration()), RestartPolicy::kFirstDelay);
    if (restarts_.short_runs() == 1) options_.report(process.status().message());
    WaitBeforeRestart(delay);
    return !stopping();
  }
  const base::ProcessExit exit = WaitForExit(*process);
  if (stopping()) {
    base::MutexLock lock(mutex_);
    state_.pid = 0;
    return false;
  }
  RecordExit(exit, clock_.Elapsed() - begin);
  return !stopping();
}

base::ProcessExit ServiceProcess::WaitForExit(base::Process& process) {
  const base::UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, process.pid(), 0)));
  absl::Duration kill_at = absl::InfiniteDuration();
  while (true) {
    const bool asked = kill_at < absl::InfiniteDuration();
    pollfd polled[2] = {{pidfd.get(), POLLIN, 0}, {asked ? -1 : wake_.get(), POLLIN, 0}};
    absl::Duration wait = pidfd.valid() ? absl::Hours(1) : kPollInterval;
    if (asked) wait = std::min(wait, kill_at - clock_.Elapsed());
    poll(polled, 2, Milliseconds(wait));
    const absl::StatusOr<base::ProcessExit> exit = process.Wait(absl::ZeroDuration());
    if (exit.ok()) return *exit;
    if (asked && clock_.Elapsed() >= kill_at) {
      process.Signal(SIGKILL);
      base::MutexLock lock(mutex_);
      killed_ = grace_ > absl::ZeroDuration();
    } else if (!asked && stopping()) {
      process.Signal(SIGTERM);
      base::MutexLock lock(mutex_);
      kill_at = clock_.Elapsed() + grace_;
    }
  }
}

void ServiceProcess::RecordExit(const base::ProcessExit& exit, absl::Duration ran) {
  const std::string problem = ExitText(exit);
  {
    base::MutexLock lock(mutex_);
    state_.pid = 0;
    state_.last_problem = problem;
  }
  const absl::Duration delay = restarts_.DelayAfter(ran);
  if (restarts_.LoopBegan()) {
    options_.report(
        absl::StrCat(options_.name, " ends again and again (", problem, "); it is tried every ",
                     absl::FormatDuration(RestartPolicy::kDelayMax), "; see ", options_.log_path));
  } else if (restarts_.short_runs() < RestartPolicy::kLoopLength) {
    options_.report(absl::StrCat(options_.name, " ", problem, "; starting it again"));
  }
  if (delay > absl::ZeroDuration()) WaitBeforeRestart(delay);
}

void ServiceProcess::WaitBeforeRestart(absl::Duration delay) {
  pollfd polled = {wake_.get(), POLLIN, 0};
  poll(&polled, 1, Milliseconds(delay));
}

}  // namespace slipway::cli
