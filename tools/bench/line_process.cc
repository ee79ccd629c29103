#include "tools/bench/line_process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/clock.h"
#include "lib/base/status_macros.h"

namespace slipway::bench {
namespace {

constexpr absl::Duration kLinePatience = absl::Seconds(60);

}  // namespace

absl::StatusOr<std::unique_ptr<LineProcess>> LineProcess::Start(
    std::vector<std::string> argv, std::map<std::string, std::string> environment) {
  std::array<int, 2> in, out;
  if (pipe2(in.data(), O_CLOEXEC) != 0) return base::ErrnoStatus(errno, "no pipe");
  base::UniqueFd child_in(in[0]), own_in(in[1]);
  if (pipe2(out.data(), O_CLOEXEC) != 0) return base::ErrnoStatus(errno, "no pipe");
  base::UniqueFd own_out(out[0]), child_out(out[1]);
  ASSIGN_OR_RETURN(
      base::Process process,
      base::Process::Spawn({.argv = std::move(argv),
                            .env = std::move(environment),
                            .inherit_env = true,
                            .fds = {{0, child_in.get()}, {1, child_out.get()}, {2, 2}}}));
  return std::unique_ptr<LineProcess>(
      new LineProcess(std::move(process), std::move(own_in), std::move(own_out)));
}

LineProcess::LineProcess(base::Process process, base::UniqueFd in, base::UniqueFd out)
    : process_(std::move(process)),
      in_(std::move(in)),
      out_(std::move(out)),
      reader_([this] { Read(); }) {}

LineProcess::~LineProcess() {
  process_.Signal(SIGKILL);
  process_.Wait(kLinePatience).IgnoreError();
  reader_.join();
}

int LineProcess::CountLocked(const std::vector<std::string>& words) {
  int count = 0;
  for (const std::string& word : words) count += said_[word];
  return count;
}

int LineProcess::Count(const std::vector<std::string>& words) {
  base::MutexLock lock(mutex_);
  return CountLocked(words);
}

absl::Status LineProcess::WaitFor(const std::vector<std::string>& words, int count) {
  const absl::Duration end = base::RealClock().Elapsed() + kLinePatience;
  base::MutexLock lock(mutex_);
  while (CountLocked(words) < count) {
    const absl::Duration left = end - base::RealClock().Elapsed();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(absl::StrCat("'", absl::StrJoin(words, "' or '"),
                                                      "' came ", CountLocked(words), " of ", count,
                                                      " times"));
    }
    changed_.WaitFor(mutex_, left);
  }
  return absl::OkStatus();
}

void LineProcess::Read() {
  std::string line;
  char next = 0;
  while (read(out_.get(), &next, 1) == 1) {
    if (next != '\n') {
      line.push_back(next);
      continue;
    }
    base::MutexLock lock(mutex_);
    ++said_[line.substr(0, line.find(' '))];
    changed_.NotifyAll();
    line.clear();
  }
}

}  // namespace slipway::bench
