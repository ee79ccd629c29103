#include "agent/supervisor/sandbox_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/sandbox/sandbox.h"

namespace slipway::agent {
namespace {

using End = WatchOutcome::End;

// Between looks at CPU time and at whether the command has ended.
constexpr absl::Duration kTick = absl::Milliseconds(250);
// After both streams ended the command is as good as over.
constexpr absl::Duration kEndTick = absl::Milliseconds(5);
constexpr size_t kReadBytes = 64u << 10;
// Less is the noise of a program that waits.
constexpr absl::Duration kCpuActivity = absl::Milliseconds(20);
constexpr int kFreezeTriesMax = 3;

struct Pipe {
  base::UniqueFd read_end;
  base::UniqueFd write_end;

  absl::Status Open() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return base::ErrnoStatus(errno, "pipe");
    read_end = base::UniqueFd(fds[0]);
    write_end = base::UniqueFd(fds[1]);
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) return base::ErrnoStatus(errno, "fcntl");
    return absl::OkStatus();
  }
};

class Watch final {
 public:
  Watch(WatchOptions& options, const WatchContext& context)
      : options_(options), context_(context), started_(context.clock.Elapsed()) {}

  absl::StatusOr<WatchOutcome> Run() {
    if (const std::optional<End> end = AwaitLease()) return Ended(*end);
    RETURN_IF_ERROR(out_.Open());
    RETURN_IF_ERROR(err_.Open());
    options_.spec.stdout_fd = out_.write_end.get();
    options_.spec.stderr_fd = options_.on_err ? err_.write_end.get() : out_.write_end.get();
    // The deadline is kept here; this one is for the case that this loop is stuck.
    options_.spec.limits.wall_clock =
        std::max(options_.deadline - Now(), absl::Seconds(1)) + absl::Seconds(10);
    started_ = Now();
    ASSIGN_OR_RETURN(sandbox::SandboxedProcess process, sandbox::Start(options_.spec));
    out_.write_end.Close();
    err_.write_end.Close();
    while (true) {
      if (const std::optional<End> end = MustEnd(process)) {
        process.Kill();
        process.Wait().IgnoreError();
        return Ended(*end);
      }
      Poll();
      absl::StatusOr<base::ProcessExit> exit =
          process.Wait(Streaming() ? absl::ZeroDuration() : kEndTick);
      if (absl::IsDeadlineExceeded(exit.status())) continue;
      // Everything inside is gone, so that what the pipes still hold is the rest.
      Drain();
      RETURN_IF_ERROR(exit.status());
      WatchOutcome outcome = Ended(refusal_.ok() ? End::kExited : End::kRefused);
      outcome.code = exit->signal != 0 ? 128 + exit->signal : exit->code;
      return outcome;
    }
  }

 private:
  absl::Duration Now() const { return context_.clock.Elapsed(); }
  bool Streaming() const { return out_.read_end.valid() || err_.read_end.valid(); }

  // Waits until the lease is held; the reason when it never will be.
  std::optional<End> AwaitLease() {
    while (true) {
      const Lease::State state = context_.lease.state();
      if (state == Lease::State::kStopped) return End::kStopped;
      if (Now() >= options_.deadline) return End::kDeadline;
      if (state == Lease::State::kHeld) return std::nullopt;
      Poll();
    }
  }

  std::optional<End> MustEnd(sandbox::SandboxedProcess& process) {
    if (!refusal_.ok()) return End::kRefused;
    const Lease::State state = context_.lease.state();
    if (state == Lease::State::kStopped) return End::kStopped;
    const absl::Duration now = Now();
    if (now >= options_.deadline) return End::kDeadline;
    if (state == Lease::State::kLapsed && !frozen_since_.has_value()) {
      if (!Freeze(process)) return End::kStopped;
    } else if (state == Lease::State::kHeld && frozen_since_.has_value()) {
      frozen_for_ += now - *frozen_since_;
      frozen_since_.reset();
      process.Thaw();
      log::Info("the grant was confirmed, going on");
    }
    if (RunTime() >= options_.run_timeout) return End::kRunTimeout;
    const absl::Duration cpu = process.CpuTime();
    if (cpu - cpu_seen_ >= kCpuActivity) {
      cpu_seen_ = cpu;
      context_.report.Active();
    }
    return std::nullopt;
  }

  // False when something inside cannot be stopped: it must not run on without authority.
  bool Freeze(sandbox::SandboxedProcess& process) {
    log::Warning("no word from the dispatcher, the sandbox is frozen");
    for (int i = 0; i < kFreezeTriesMax; ++i) {
      if (!process.Freeze().ok()) continue;
      frozen_since_ = Now();
      return true;
    }
    log::Error("the sandbox could not be frozen and is ended");
    context_.lease.Stop(Lease::Cause::kFenced);
    return false;
  }

  absl::Duration RunTime() const { return frozen_since_.value_or(Now()) - started_ - frozen_for_; }

  absl::Duration PollTimeout() const {
    absl::Duration timeout = std::min(kTick, options_.deadline - Now());
    if (!frozen_since_.has_value()) {
      timeout = std::min({timeout, options_.run_timeout - RunTime(), context_.lease.time_left()});
    }
    return std::clamp(timeout, absl::Milliseconds(1), kTick);
  }

  void Poll() {
    std::array<pollfd, 3> polled = {pollfd{context_.wake.fd(), POLLIN, 0},
                                    pollfd{out_.read_end.get(), POLLIN, 0},
                                    pollfd{err_.read_end.get(), POLLIN, 0}};
    const int timeout = static_cast<int>(absl::ToInt64Milliseconds(PollTimeout()));
    if (poll(polled.data(), polled.size(), std::max(timeout, 1)) <= 0) return;
    if (polled[0].revents != 0) context_.wake.Clear();
    if (polled[1].revents != 0) Take(out_.read_end, options_.on_out);
    if (polled[2].revents != 0) Take(err_.read_end, options_.on_err);
  }

  // Hands one piece to `sink`; false when there is none.
  bool Take(base::UniqueFd& fd, absl::AnyInvocable<absl::Status(absl::string_view)>& sink) {
    if (!fd.valid()) return false;
    const ssize_t size = read(fd.get(), buffer_.data(), buffer_.size());
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return false;
    if (size <= 0) {
      fd.Close();
      return false;
    }
    context_.report.Active();
    if (refusal_.ok()) refusal_ = sink(absl::string_view(buffer_.data(), size));
    return true;
  }

  void Drain() {
    while (Take(out_.read_end, options_.on_out)) {
    }
    while (Take(err_.read_end, options_.on_err)) {
    }
  }

  WatchOutcome Ended(End end) const {
    return {.end = end, .refusal = refusal_, .run_duration = RunTime()};
  }

  WatchOptions& options_;
  const WatchContext& context_;
  absl::Duration started_;
  absl::Duration frozen_for_;
  std::optional<absl::Duration> frozen_since_;
  absl::Duration cpu_seen_;
  absl::Status refusal_;
  Pipe out_;
  Pipe err_;
  std::vector<char> buffer_ = std::vector<char>(kReadBytes);
};

}  // namespace

absl::StatusOr<WatchOutcome> WatchSandbox(WatchOptions options, const WatchContext& context) {
  return Watch(options, context).Run();
}

}  // namespace slipway::agent
