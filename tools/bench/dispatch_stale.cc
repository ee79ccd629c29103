// Agents that are stopped past their leases: the rest of dispatch_scenarios.h.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "tools/bench/agent_pool.h"
#include "tools/bench/dispatch_scenarios.h"
#include "tools/bench/dispatch_world.h"
#include "tools/bench/line_process.h"
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
  ASSIGN_OR_RETURN(
      const std::unique_ptr<LineProcess> stopped,
      LineProcess::Start({OwnProgram(), "dispatch-agents", "--address", world->agent_address(),
                          "--token", world->token(), "--agents", absl::StrCat(kStoppedAgents),
                          "--work-ms", absl::StrCat(absl::ToInt64Milliseconds(kStoppedWork))},
                         {}));
  RETURN_IF_ERROR(
      world->Submit(MakePlan({.plan = PlanName(1), .tasks = kStoppedAgents, .depth = 1})));
  RETURN_IF_ERROR(stopped->WaitFor({"grant"}, kStoppedAgents));
  // Their answers to the grants have to reach the dispatcher: else these were only offers.
  LetPass(kStoppedWork / 4);
  stopped->Signal(SIGSTOP);
  if (stopped->Count({"accepted", "refused"}) > 0) {
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
  RETURN_IF_ERROR(stopped->WaitFor({"accepted", "refused"}, kStoppedAgents));
  StaleFigures figures{.stopped = kStoppedAgents,
                       .refused = stopped->Count({"refused"}),
                       .accepted = stopped->Count({"accepted"})};
  RETURN_IF_ERROR(world->WaitForEnd(PlanName(1), kStalePatience));
  figures.merged_twice = world->services().MergedTwice();
  ASSIGN_OR_RETURN(figures.audit_breaches, world->AuditBreaches());
  return figures;
}

}  // namespace slipway::bench
