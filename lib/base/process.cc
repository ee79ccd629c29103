#include "lib/base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

extern char** environ;

namespace slipway::base {
namespace {

std::string FindProgram(const std::string& name) {
  if (absl::StrContains(name, "/")) return name;
  const char* const path = std::getenv("PATH");
  for (const absl::string_view directory :
       absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    const std::string candidate = absl::StrCat(directory, "/", name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return name;
}

std::vector<std::string> Environment(const Process::Options& options) {
  std::map<std::string, std::string> merged;
  if (options.inherit_env) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::pair<std::string, std::string> pair =
          absl::StrSplit(*entry, absl::MaxSplits('=', 1));
      merged.insert(pair);
    }
  }
  for (const auto& [key, value] : options.env) merged[key] = value;
  std::vector<std::string> lines;
  for (const auto& [key, value] : merged) lines.push_back(absl::StrCat(key, "=", value));
  return lines;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What the child needs, prepared before fork: only async-signal-safe calls may follow it.
struct ChildPlan {
  std::string program;
  std::vector<char*> argv;
  std::vector<char*> env;
  const char* directory;
  std::vector<std::pair<int, int>> fds;  // (child, parent), ascending by child.
  int failure_fd;
  pid_t parent;
  bool die_with_parent;
  bool new_session;
};

// Gives the child its descriptors. Sources are first moved above every target, so that no dup2
// overwrites a source that is still needed.
void ArrangeDescriptors(ChildPlan& plan) {
  int base = 3;
  for (const auto& [target, source] : plan.fds) base = std::max(base, target + 1);
  plan.failure_fd = fcntl(plan.failure_fd, F_DUPFD_CLOEXEC, base);
  for (auto& [target, source] : plan.fds) source = fcntl(source, F_DUPFD_CLOEXEC, base);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  for (const auto& [target, source] : plan.fds) dup2(source, target);
  unsigned keep_from = 3;
  for (const auto& [target, source] : plan.fds) {
    if (target < 3) continue;
    if (static_cast<unsigned>(target) > keep_from) {
      syscall(SYS_close_range, keep_from, static_cast<unsigned>(target) - 1, 0);
    }
    keep_from = static_cast<unsigned>(target) + 1;
  }
  if (static_cast<unsigned>(plan.failure_fd) > keep_from) {
    syscall(SYS_close_range, keep_from, static_cast<unsigned>(plan.failure_fd) - 1, 0);
  }
  syscall(SYS_close_range, static_cast<unsigned>(plan.failure_fd) + 1, ~0u, 0);
}

[[noreturn]] void RunChild(ChildPlan& plan) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (plan.new_session) setsid();
  if (plan.die_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != plan.parent) _exit(127);
  }
  ArrangeDescriptors(plan);
  if (plan.directory == nullptr || chdir(plan.directory) == 0) {
    execve(plan.program.c_str(), plan.argv.data(), plan.env.data());
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t sent = write(plan.failure_fd, &error, sizeof(error));
  _exit(127);
}

// Feeds `input` and collects both output streams until they are closed or `deadline` passes.
class OutputCollector final {
 public:
  OutputCollector(CommandResult& result, std::string input, size_t output_max)
      : result_(result), input_(std::move(input)), output_max_(output_max) {}

  void Collect(UniqueFd in, UniqueFd out, UniqueFd err, absl::Duration deadline) {
    size_t sent = 0;
    if (input_.empty()) in.Close();
    while (out.valid() || err.valid()) {
      const absl::Duration left = deadline - RealClock().Elapsed();
      if (left <= absl::ZeroDuration()) return;
      pollfd polled[3] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}, {in.get(), POLLOUT, 0}};
      const int64_t timeout = std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 60'000);
      if (poll(polled, 3, static_cast<int>(timeout)) < 0 && errno != EINTR) return;
      if (polled[0].revents != 0) Read(out, result_.out);
      if (polled[1].revents != 0) Read(err, result_.err);
      if (in.valid() && polled[2].revents != 0) {
        const ssize_t size = write(in.get(), input_.data() + sent, input_.size() - sent);
        if (size > 0) sent += static_cast<size_t>(size);
        if ((size < 0 && errno != EAGAIN && errno != EINTR) || sent == input_.size()) in.Close();
      }
    }
  }

 private:
  void Read(UniqueFd& fd, std::string& into) {
    char buffer[64 * 1024];
    const ssize_t size = read(fd.get(), buffer, sizeof(buffer));
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (size <= 0) return fd.Close();
    const size_t room = output_max_ - std::min(output_max_, into.size());
    if (static_cast<size_t>(size) > room) result_.truncated = true;
    into.append(buffer, std::min(room, static_cast<size_t>(size)));
  }

  CommandResult& result_;
  std::string input_;
  const size_t output_max_;
};

absl::Status MakePipe(UniqueFd& read_end, UniqueFd& write_end) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  read_end = UniqueFd(fds[0]);
  write_end = UniqueFd(fds[1]);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Process> Process::Spawn(const Options& options) {
  if (options.argv.empty()) return absl::InvalidArgumentError("no program to run");
  UniqueFd failure_read, failure_write;
  RETURN_IF_ERROR(MakePipe(failure_read, failure_write));
  std::vector<std::string> argv = options.argv;
  std::vector<std::string> env = Environment(options);
  ChildPlan plan{.program = FindProgram(options.argv[0]),
                 .argv = Pointers(argv),
                 .env = Pointers(env),
                 .directory = options.directory.empty() ? nullptr : options.directory.c_str(),
                 .fds = {options.fds.begin(), options.fds.end()},
                 .failure_fd = failure_write.get(),
                 .parent = getpid(),
                 .die_with_parent = options.die_with_parent,
                 .new_session = options.new_session};
  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "fork");
  if (pid == 0) RunChild(plan);
  Process process(pid, options.new_session);
  failure_write.Close();
  int error = 0;
  ssize_t size = 0;
  do {
    size = read(failure_read.get(), &error, sizeof(error));
  } while (size < 0 && errno == EINTR);
  if (size == sizeof(error)) {
    return ErrnoStatus(error, absl::StrCat("run ", options.argv[0]));
  }
  return process;
}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(group_, other.group_);
  return *this;
}

Process::~Process() {
  if (pid_ <= 0) return;
  Signal(SIGKILL);
  Wait().IgnoreError();
}

void Process::Signal(int signal) {
  if (pid_ > 0) kill(group_ ? -pid_ : pid_, signal);
}

absl::StatusOr<ProcessExit> Process::Wait(absl::Duration timeout) {
  if (pid_ <= 0) return absl::FailedPreconditionError("the process has been reaped");
  if (timeout != absl::InfiniteDuration()) {
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    if (!pidfd.valid()) return ErrnoStatus(errno, "pidfd_open");
    const absl::Duration deadline = RealClock().Elapsed() + timeout;
    while (true) {
      pollfd polled{pidfd.get(), POLLIN, 0};
      const absl::Duration left = std::max(absl::ZeroDuration(), deadline - RealClock().Elapsed());
      const int64_t milliseconds = std::min<int64_t>(absl::ToInt64Milliseconds(left), 3'600'000);
      const int ready = poll(&polled, 1, static_cast<int>(milliseconds));
      if (ready > 0) break;
      if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
      if (RealClock().Elapsed() >= deadline) {
        return absl::DeadlineExceededError("the process is still running");
      }
    }
  }
  int status = 0;
  pid_t reaped = 0;
  do {
    reaped = waitpid(pid_, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  if (reaped < 0) return ErrnoStatus(errno, "waitpid");
  pid_ = -1;
  if (WIFSIGNALED(status)) return ProcessExit{.signal = WTERMSIG(status)};
  return ProcessExit{.code = WEXITSTATUS(status)};
}

absl::StatusOr<CommandResult> RunCommand(Process::Options options, absl::Duration timeout,
                                         std::string input, size_t output_max) {
  UniqueFd in_read, in_write, out_read, out_write, err_read, err_write;
  RETURN_IF_ERROR(MakePipe(in_read, in_write));
  RETURN_IF_ERROR(MakePipe(out_read, out_write));
  RETURN_IF_ERROR(MakePipe(err_read, err_write));
  fcntl(in_write.get(), F_SETFL, O_NONBLOCK);
  options.fds[0] = in_read.get();
  options.fds[1] = out_write.get();
  options.fds[2] = err_write.get();
  const absl::Duration deadline = RealClock().Elapsed() + timeout;
  ASSIGN_OR_RETURN(Process process, Process::Spawn(options));
  in_read.Close();
  out_write.Close();
  err_write.Close();
  CommandResult result;
  OutputCollector(result, std::move(input), output_max)
      .Collect(std::move(in_write), std::move(out_read), std::move(err_read), deadline);
  absl::StatusOr<ProcessExit> exit = process.Wait(deadline - RealClock().Elapsed());
  if (!exit.ok() && absl::IsDeadlineExceeded(exit.status())) {
    result.timed_out = true;
    process.Signal(SIGKILL);
    exit = process.Wait();
  }
  ASSIGN_OR_RETURN(result.exit, std::move(exit));
  return result;
}

}  // namespace slipway::base
