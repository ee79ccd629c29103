// Agents that are stopped past their leases: the rest of dispatch_scenarios.h.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/base/process.h"
#include "lib/base/status_macros.h"
#include "tools/bench/agent_pool.h"
#include "tools/bench/dispatch_scenarios.h"
#include "tools/bench/dispatch_world.h"
#include "tools/bench/server_process.h"

namespace slipway::bench {
namespace {

constexpr int kStoppedAgents = 16;
constexpr absl::Duration kLease = absl::Seconds(2);
// Longer than it takes to stop them all.
constexpr absl::Duration kStoppedWork = absl::Seconds(1);
// Those who take over still work when the others come back.
constexpr absl::Duration kTakeOverWork = absl::Seconds(4);
constexpr absl::Duration kStalePatience = absl::Seconds(60);

// What the process of stopped agents has said, line by line.
class StoppableAgents final {
 public:
  static absl::StatusOr<std::unique_ptr<StoppableAgents>> Start(const DispatchWorld& world) {
    std::array<int, 2> in, out;
    if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) {
      return base::ErrnoStatus(errno, "no pipe");
    }
    base::UniqueFd child_in(in[0]), own_in(in[1]), own_out(out[0]), child_out(out[1]);
    ASSIGN_OR_RETURN(
        base::Process process,
        base::Process::Spawn(
            {.argv = {OwnProgram(), "dispatch-agents", "--address", world.agent_address(),
                      "--token", world.token(), "--agents", absl::StrCat(kStoppedAgents),
                      "--work-ms", absl::StrCat(absl::ToInt64Milliseconds(kStoppedWork))},
             .inherit_env = true,
             .fds = {{0, child_in.get()}, {1, child_out.get()}, {2, 2}}}));
    return std::unique_ptr<StoppableAgents>(
        new StoppableAgents(std::move(process), std::move(own_in), std::move(own_out)));
  }

  ~StoppableAgents() {
    process_.Signal(SIGKILL);
    process_.Wait(kStalePatience).IgnoreError();
    reader_.join();
  }

  void Signal(int signal) { process_.Signal(signal); }

  absl::Status WaitFor(const std::string& word, int count) {
    const absl::Duration end = base::RealClock().Elapsed() + kStalePatience;
    base::MutexLock lock(mutex_);
    while (said_[word] < count) {
      const absl::Duration left = end - base::RealClock().Elapsed();
      if (left <= absl::ZeroDuration()) {
        return absl::DeadlineExceededError(
            absl::StrCat("the stopped agents said '", word, "' ", said_[word], " times"));
      }
      changed_.WaitFor(mutex_, left);
    }
    return absl::OkStatus();
  }

  int Count(const std::string& word) {
    base::MutexLock lock(mutex_);
    return said_[word];
  }

 private:
  StoppableAgents(base::Process process, base::UniqueFd in, base::UniqueFd out)
      : process_(std::move(process)),
        in_(std::move(in)),
        out_(std::move(out)),
        reader_([this] { Read(); }) {}

  void Read() {
    std::string line;
    char next = 0;
    while (read(out_.get(), &next, 1) == 1) {
      if (next != '\n') {
        line.push_back(next);
        continue;
      }
      base::MutexLock lock(mutex_);
      ++said_[line];
      if (line != "grant") ++said_["receipt"];
      changed_.NotifyAll();
      line.clear();
    }
  }

  base::Process process_;
  const base::UniqueFd in_;  // Closed at our end: the child ends, too.
  const base::UniqueFd out_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::map<std::string, int> said_ ABSL_GUARDED_BY(mutex_);
  std::thread reader_;
};

}  // namespace

absl::Status RunStoppableAgents(const std::string& address, const std::string& token, int agents,
                                absl::Duration work) {
  base::Mutex mutex;
  const auto say = [&mutex](const char* word) {
    base::MutexLock lock(mutex);
    std::printf("%s\n", word);
    std::fflush(stdout);
  };
  ASSIGN_OR_RETURN(
      const std::unique_ptr<AgentPool> pool,
      AgentPool::Start({.address = address,
                        .token = token,
                        .prefix = "stopped",
                        .agents = agents,
                        .work = work,
                        .on_grant = [&say](const auto&) { say("grant"); },
                        .on_receipt =
                            [&say](const std::string&, auto receipt) {
                              say(receipt == agent::v1::SubmitResultResponse::RECEIPT_ACCEPTED
                                      ? "accepted"
                                      : "refused");
                            }}));
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  return absl::OkStatus();
}

absl::StatusOr<StaleFigures> MeasureStale(const DispatchSite& site) {
  ASSIGN_OR_RETURN(const std::unique_ptr<DispatchWorld> world,
                   DispatchWorld::Start({.program = site.program,
                                         .directory = site.directory,
                                         .lease_timeout = kLease,
                                         .beat_interval = kLease / 4}));
  ASSIGN_OR_RETURN(const std::unique_ptr<StoppableAgents> stopped, StoppableAgents::Start(*world));
  RETURN_IF_ERROR(
      world->Submit(MakePlan({.plan = PlanName(1), .tasks = kStoppedAgents, .depth = 1})));
  RETURN_IF_ERROR(stopped->WaitFor("grant", kStoppedAgents));
  // Their answers to the grants have to reach the dispatcher: else these were only offers.
  LetPass(kStoppedWork / 4);
  stopped->Signal(SIGSTOP);
  if (stopped->Count("receipt") > 0) {
    return absl::DeadlineExceededError("agents ended before they could be stopped: a busy machine");
  }
  std::atomic<int> taken_over = 0;
  ASSIGN_OR_RETURN(const std::unique_ptr<AgentPool> others,
                   AgentPool::Start({.address = world->agent_address(),
                                     .token = world->token(),
                                     .prefix = "other",
                                     .agents = kStoppedAgents,
                                     .work = kTakeOverWork,
                                     .on_grant = [&taken_over](const auto&) { ++taken_over; }}));
  const absl::Duration end = base::RealClock().Elapsed() + kStalePatience;
  while (taken_over < kStoppedAgents) {
    if (base::RealClock().Elapsed() > end) {
      stopped->Signal(SIGCONT);
      return absl::DeadlineExceededError(
          absl::StrCat("only ", taken_over.load(), " tasks were granted anew"));
    }
    LetPass(absl::Milliseconds(5));
  }
  stopped->Signal(SIGCONT);
  RETURN_IF_ERROR(stopped->WaitFor("receipt", kStoppedAgents));
  StaleFigures figures{.stopped = kStoppedAgents,
                       .refused = stopped->Count("refused"),
                       .accepted = stopped->Count("accepted")};
  RETURN_IF_ERROR(world->WaitForEnd(PlanName(1), kStalePatience));
  figures.merged_twice = world->services().MergedTwice();
  ASSIGN_OR_RETURN(figures.audit_breaches, world->AuditBreaches());
  return figures;
}

}  // namespace slipway::bench
