#include "cli/supervisor/detach.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/statusor.h"
#include "cli/supervisor/log_file.h"
#include "lib/base/file.h"

namespace slipway::cli {
namespace {

void WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t size = write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    text.remove_prefix(static_cast<size_t>(size));
  }
}

std::string ReadToEnd(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(buffer, static_cast<size_t>(size));
  }
}

void LeaveTerminal(const std::string& log_path) {
  setsid();
  const base::UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const absl::StatusOr<base::UniqueFd> log = OpenLog(log_path);
  dup2(null.get(), STDIN_FILENO);
  dup2(log.ok() ? log->get() : null.get(), STDOUT_FILENO);
  dup2(log.ok() ? log->get() : null.get(), STDERR_FILENO);
}

}  // namespace

void StartReport::Send(int exit_code, absl::string_view output) {
  if (fd_ < 0) return;
  const char code = static_cast<char>(exit_code);
  WriteAll(fd_, absl::string_view(&code, 1));
  WriteAll(fd_, output);
  close(std::exchange(fd_, -1));
}

DetachedStart RunDetached(const std::string& log_path, absl::FunctionRef<int(StartReport&)> child) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return {.output = "error: pipe failed\n"};
  const pid_t pid = fork();
  if (pid < 0) return {.output = "error: fork failed\n"};
  if (pid == 0) {
    close(fds[0]);
    LeaveTerminal(log_path);
    StartReport report(fds[1]);
    _exit(child(report));
  }
  close(fds[1]);
  const std::string text = ReadToEnd(fds[0]);
  close(fds[0]);
  if (text.empty())
    return {.output = "error: the suite ended while it started; see " + log_path + "\n"};
  return {.exit_code = text[0], .output = text.substr(1)};
}

}  // namespace slipway::cli
