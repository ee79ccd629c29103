#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/sandbox/container.h"
#include "lib/sandbox/errors.h"
#include "lib/sandbox/pod.h"
#include "lib/sandbox/sandbox.h"

namespace slipway::sandbox {
namespace {

// One output stream: a pipe and what was kept of it.
struct Stream {
  base::UniqueFd read_end;
  base::UniqueFd write_end;
  std::string kept;
  bool truncated = false;
};

absl::StatusOr<Stream> OpenStream() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return base::ErrnoStatus(errno, "pipe");
  Stream stream;
  stream.read_end = base::UniqueFd(fds[0]);
  stream.write_end = base::UniqueFd(fds[1]);
  return stream;
}

void ReadSome(Stream& stream, size_t output_max) {
  char buffer[64 * 1024];
  const ssize_t size = read(stream.read_end.get(), buffer, sizeof(buffer));
  if (size < 0 && errno == EINTR) return;
  if (size <= 0) return stream.read_end.Close();
  const size_t room = output_max - stream.kept.size();
  if (static_cast<size_t>(size) > room) stream.truncated = true;
  stream.kept.append(buffer, std::min(room, static_cast<size_t>(size)));
}

// Until both streams are closed: by the end of the sandbox at the latest, whatever was left
// running inside, since that ends with the command or the wall clock.
void Collect(Stream& out, Stream& err, size_t output_max) {
  while (out.read_end.valid() || err.read_end.valid()) {
    pollfd polled[2] = {{out.read_end.get(), POLLIN, 0}, {err.read_end.get(), POLLIN, 0}};
    if (poll(polled, 2, -1) < 0 && errno != EINTR) return;
    if (polled[0].revents != 0) ReadSome(out, output_max);
    if (polled[1].revents != 0) ReadSome(err, output_max);
  }
}

// What to do about a refused namespace, from the settings that refuse it.
std::string Advice() {
  const auto is = [](const std::string& path, absl::string_view value) {
    const absl::StatusOr<std::string> text = base::ReadFile(path);
    return text.ok() && absl::StartsWith(*text, value);
  };
  if (is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")) {
    return "AppArmor restricts user namespaces here (Ubuntu 24.04 and later): add an AppArmor "
           "profile for /usr/bin/bwrap with the rule 'userns,', or set "
           "kernel.apparmor_restrict_unprivileged_userns=0";
  }
  if (is("/proc/sys/kernel/unprivileged_userns_clone", "0")) {
    return "set the sysctl kernel.unprivileged_userns_clone=1";
  }
  if (is("/proc/sys/user/max_user_namespaces", "0\n")) {
    return "set the sysctl user.max_user_namespaces to a positive number";
  }
  return "inside a container, use the container as the sandbox instead, or allow it to create user "
         "namespaces and to mount /proc";
}

}  // namespace

absl::StatusOr<RunResult> Run(Spec spec, size_t output_max) {
  const absl::Duration begin = base::RealClock().Elapsed();
  ASSIGN_OR_RETURN(Stream out, OpenStream());
  ASSIGN_OR_RETURN(Stream err, OpenStream());
  spec.stdout_fd = out.write_end.get();
  spec.stderr_fd = err.write_end.get();
  absl::StatusOr<SandboxedProcess> process = Start(spec);
  out.write_end.Close();
  err.write_end.Close();
  if (process.ok()) Collect(out, err, output_max);
  const absl::StatusOr<base::ProcessExit> exit =
      process.ok() ? process->Wait() : absl::StatusOr<base::ProcessExit>(process.status());
  if (!exit.ok()) {
    if (base::ReasonOf(exit.status()) != "SANDBOX_START_FAILED") return exit.status();
    if (!process.ok()) Collect(out, err, output_max);
    return SandboxStartFailed(err.kept.empty() ? exit.status().message() : err.kept);
  }
  RunResult result;
  result.code = exit->signal != 0 ? 128 + exit->signal : exit->code;
  result.out = std::move(out.kept);
  result.err = std::move(err.kept);
  result.truncated = out.truncated || err.truncated;
  result.timed_out = process->timed_out();
  result.duration = base::RealClock().Elapsed() - begin;
  return result;
}

absl::Status Check(const Spec& identity) {
  if (identity.layer == Layer::kContainer) return EnterContainer();
  if (identity.layer == Layer::kPod) return EnterPod();
  Spec probe;
  probe.argv = {"/usr/bin/cat", "/proc/self/status"};
  probe.uid = identity.uid;
  probe.gid = identity.gid;
  probe.bubblewrap = identity.bubblewrap;
  probe.limits.wall_clock = absl::Seconds(20);
  const absl::StatusOr<RunResult> result = Run(probe);
  if (!result.ok()) {
    if (base::ReasonOf(result.status()) != "SANDBOX_START_FAILED") return result.status();
    return SandboxBroken(absl::StrCat(result.status().message(), "; ", Advice()));
  }
  if (!result->ok()) return SandboxBroken(absl::StrCat("the probe failed: ", result->err));
  for (const absl::string_view wanted :
       {"\nSeccomp:\t2\n", "\nNoNewPrivs:\t1\n", "\nCapEff:\t0000000000000000\n"}) {
    if (!absl::StrContains(result->out, wanted)) {
      return SandboxBroken(absl::StrCat("a layer is not active inside: ", wanted.substr(1)));
    }
  }
  return absl::OkStatus();
}

}  // namespace slipway::sandbox
