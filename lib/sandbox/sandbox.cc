#include "lib/sandbox/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <future>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/thread_pool.h"
#include "lib/sandbox/command_line.h"
#include "lib/sandbox/container.h"
#include "lib/sandbox/errors.h"
#include "lib/sandbox/memory_file.h"
#include "lib/sandbox/process_tree.h"
#include "lib/sandbox/seccomp_filter.h"

namespace slipway::sandbox {
namespace {

constexpr absl::Duration kSetupTimeout = absl::Seconds(20);
constexpr absl::Duration kFreezeTimeout = absl::Seconds(1);
constexpr size_t kStatusBytesMax = 4'096;

constexpr char kPasswd[] =
    "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
    "agent:x:1000:1000:agent:/home/agent:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
constexpr char kGroup[] = "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n";
constexpr char kHosts[] = "127.0.0.1 localhost sandbox\n::1 localhost\n";

absl::Status MakePipe(base::UniqueFd& read_end, base::UniqueFd& write_end) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return base::ErrnoStatus(errno, "pipe");
  read_end = base::UniqueFd(fds[0]);
  write_end = base::UniqueFd(fds[1]);
  return absl::OkStatus();
}

bool ReadableWithin(int fd, absl::Duration timeout) {
  const absl::Duration deadline = base::RealClock().Elapsed() + timeout;
  while (true) {
    const absl::Duration left =
        std::clamp(deadline - base::RealClock().Elapsed(), absl::ZeroDuration(), absl::Hours(1));
    pollfd polled{fd, POLLIN, 0};
    const int ready = poll(&polled, 1, static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (base::RealClock().Elapsed() >= deadline) return false;
  }
}

// Reads bubblewrap's status until `mark` is seen or it ends.
bool ReadStatusUntil(int fd, absl::string_view mark, std::string& text, absl::Duration timeout) {
  const absl::Duration deadline = base::RealClock().Elapsed() + timeout;
  while (!absl::StrContains(text, mark) && text.size() < kStatusBytesMax) {
    if (!ReadableWithin(fd, deadline - base::RealClock().Elapsed())) return false;
    char buffer[512];
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    text.append(buffer, static_cast<size_t>(size));
  }
  return absl::StrContains(text, mark);
}

std::optional<pid_t> ChildPid(absl::string_view status) {
  constexpr absl::string_view kKey = "\"child-pid\": ";
  const size_t found = status.find(kKey);
  if (found == absl::string_view::npos) return std::nullopt;
  const absl::string_view rest = status.substr(found + kKey.size());
  pid_t pid = 0;
  if (!absl::SimpleAtoi(rest.substr(0, rest.find_first_not_of("0123456789")), &pid)) {
    return std::nullopt;
  }
  return pid;
}

// The kernel ties a child's life to the thread that forked it, so that must be one which lives as
// long as the program.
absl::StatusOr<base::Process> SpawnFromLastingThread(const base::Process::Options& options) {
  static base::ThreadPool& spawner = *new base::ThreadPool({.threads = 1, .queue_max = 1'024});
  std::promise<absl::StatusOr<base::Process>> spawned;
  RETURN_IF_ERROR(spawner.TryRun([&] { spawned.set_value(base::Process::Spawn(options)); }));
  return spawned.get_future().get();
}

absl::Status CheckPrograms(const Spec& spec, bool root) {
  for (const std::string& program :
       {spec.bubblewrap, std::string("/usr/bin/prlimit"), std::string("/usr/bin/setpriv")}) {
    if (program == "/usr/bin/setpriv" && !root) continue;
    if (access(program.c_str(), X_OK) != 0) return SandboxMissing(program);
  }
  return absl::OkStatus();
}

}  // namespace

struct SandboxedProcess::State {
  State(base::Process process, base::UniqueFd status)
      : outer(std::move(process)), status_fd(std::move(status)) {}

  // SIGKILL to the sandbox's process 1, with which the kernel ends everything inside; bubblewrap
  // outside then ends by itself.
  void KillInit() {
    if (container) return SignalOthers(SIGKILL);
    syscall(SYS_pidfd_send_signal, init_fd.get(), SIGKILL, nullptr, 0);
  }
  void LimitTime(absl::Duration limit) {
    wall_clock = base::RealClock().RunAfter(limit, [this] {
      timed_out = true;
      killed = true;
      KillInit();
    });
  }
  bool InitRuns() const { return init_fd.valid() && !ReadableWithin(init_fd.get(), {}); }

  base::Process outer;
  bool container = false;  // Then `init` is this process, and `init_fd` the command's.
  base::UniqueFd status_fd;
  std::string status;
  pid_t init = -1;
  base::UniqueFd init_fd;
  std::atomic<bool> timed_out{false};
  std::atomic<bool> killed{false};
  std::unique_ptr<base::Timer> wall_clock;  // Last: its call uses all of the above.
};

SandboxedProcess::SandboxedProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
SandboxedProcess::SandboxedProcess(SandboxedProcess&&) noexcept = default;

SandboxedProcess::~SandboxedProcess() {
  if (state_ == nullptr) return;
  state_->wall_clock.reset();
  Kill();
  if (state_->outer.pid() > 0) Wait(kSetupTimeout).IgnoreError();
}

absl::StatusOr<base::ProcessExit> SandboxedProcess::Wait(absl::Duration timeout) {
  ASSIGN_OR_RETURN(const base::ProcessExit exit, state_->outer.Wait(timeout));
  state_->wall_clock.reset();
  if (state_->container) {
    EndOthers();
    return exit;
  }
  // What the command left behind dies with bubblewrap, but a moment later: wait for that.
  state_->KillInit();
  if (!ReadableWithin(state_->init_fd.get(), kSetupTimeout)) {
    return SandboxStartFailed("its processes did not end");
  }
  const bool ran = ReadStatusUntil(state_->status_fd.get(), "\"exit-code\"", state_->status, {});
  if (!ran && !state_->killed && exit.signal == 0) {
    return SandboxStartFailed("bubblewrap's reason is on the standard error");
  }
  return exit;
}

void SandboxedProcess::Signal(int signal) {
  if (!state_->InitRuns()) return;
  for (const TreeMember& member : ReadTree(state_->init)) {
    if (member.pid != state_->init) SignalMember(member, signal);
  }
}

absl::Status SandboxedProcess::Freeze() {
  const absl::Duration deadline = base::RealClock().Elapsed() + kFreezeTimeout;
  while (state_->InitRuns()) {
    bool all_stopped = true;
    for (const TreeMember& member : ReadTree(state_->init)) {
      if (member.pid == state_->init || member.state == 'T' || member.state == 'Z') continue;
      all_stopped = false;
      SignalMember(member, SIGSTOP);
    }
    if (all_stopped) return absl::OkStatus();
    if (base::RealClock().Elapsed() >= deadline) {
      return absl::AbortedError("some processes of the sandbox did not stop");
    }
  }
  return absl::OkStatus();
}

void SandboxedProcess::Thaw() { Signal(SIGCONT); }

void SandboxedProcess::Kill() {
  state_->killed = true;
  state_->KillInit();
}

absl::Duration SandboxedProcess::CpuTime() const {
  absl::Duration total;
  if (!state_->InitRuns()) return total;
  for (const TreeMember& member : ReadTree(state_->init)) total += member.cpu_time;
  return total;
}

bool SandboxedProcess::timed_out() const { return state_->timed_out; }

absl::StatusOr<SandboxedProcess> Start(const Spec& spec) {
  const bool root = geteuid() == 0;
  RETURN_IF_ERROR(Validate(spec, root));
  if (IsContainer(spec.layer)) return SandboxedProcess::StartBeside(spec);
  RETURN_IF_ERROR(CheckPrograms(spec, root));
  ASSIGN_OR_RETURN(const base::UniqueFd arguments, MemoryFile(BubblewrapArguments(spec)));
  ASSIGN_OR_RETURN(const base::UniqueFd seccomp, SeccompFilter());
  ASSIGN_OR_RETURN(const base::UniqueFd passwd, MemoryFile(kPasswd));
  ASSIGN_OR_RETURN(const base::UniqueFd group, MemoryFile(kGroup));
  ASSIGN_OR_RETURN(const base::UniqueFd hosts, MemoryFile(kHosts));
  base::UniqueFd status_read, status_write;
  RETURN_IF_ERROR(MakePipe(status_read, status_write));
  // Holds the command back until its sandbox is held by descriptor and cannot end unnoticed.
  base::UniqueFd block_read, block_write;
  RETURN_IF_ERROR(MakePipe(block_read, block_write));
  base::Process::Options options{.argv = CommandLine(spec, root), .directory = "/"};
  options.fds = {{kArgumentsFd, arguments.get()}, {kSeccompFd, seccomp.get()},
                 {kStatusFd, status_write.get()}, {kPasswdFd, passwd.get()},
                 {kGroupFd, group.get()},         {kHostsFd, hosts.get()},
                 {kBlockFd, block_read.get()}};
  const std::map<int, int> streams = {{0, spec.stdin_fd}, {1, spec.stdout_fd}, {2, spec.stderr_fd}};
  for (const auto& [target, fd] : streams) {
    if (fd >= 0) options.fds[target] = fd;
  }
  ASSIGN_OR_RETURN(base::Process outer, SpawnFromLastingThread(options));
  status_write.Close();
  auto state = std::make_unique<SandboxedProcess::State>(std::move(outer), std::move(status_read));
  ReadStatusUntil(state->status_fd.get(), "}", state->status, kSetupTimeout);
  const std::optional<pid_t> init = ChildPid(state->status);
  if (!init.has_value()) return SandboxStartFailed("bubblewrap did not start");
  state->init = *init;
  state->init_fd = base::UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, *init, 0)));
  if (!state->init_fd.valid()) return SandboxStartFailed("it ended at once");
  block_write.Close();
  state->LimitTime(spec.limits.wall_clock);
  return SandboxedProcess(std::move(state));
}

absl::StatusOr<SandboxedProcess> SandboxedProcess::StartBeside(const Spec& spec) {
  RETURN_IF_ERROR(CheckFacts(ReadContainerFacts(), spec.layer));
  if (access("/usr/bin/prlimit", X_OK) != 0) return SandboxMissing("/usr/bin/prlimit");
  CleanContainer();
  base::Process::Options options = ContainerOptions(spec);
  const std::map<int, int> streams = {{0, spec.stdin_fd}, {1, spec.stdout_fd}, {2, spec.stderr_fd}};
  for (const auto& [target, fd] : streams) {
    if (fd >= 0) options.fds[target] = fd;
  }
  ASSIGN_OR_RETURN(base::Process outer, SpawnFromLastingThread(options));
  const pid_t command = outer.pid();
  auto state = std::make_unique<State>(std::move(outer), base::UniqueFd());
  state->container = true;
  state->init = getpid();
  state->init_fd = base::UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, command, 0)));
  if (!state->init_fd.valid()) return SandboxStartFailed("it ended at once");
  state->LimitTime(spec.limits.wall_clock);
  return SandboxedProcess(std::move(state));
}

}  // namespace slipway::sandbox
