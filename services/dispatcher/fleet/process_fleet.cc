#include "services/dispatcher/fleet/process_fleet.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/sandbox/workspace_lock.h"

namespace slipway::dispatcher {
namespace {

// What an agent that is not needed gets to end by itself, and then to obey.
constexpr absl::Duration kRetireGrace = absl::Seconds(10);
constexpr absl::Duration kKillGrace = absl::Seconds(5);

// How soon an exit is seen: a slot is free so much later.
constexpr absl::Duration kWatchInterval = absl::Milliseconds(20);

// After an agent was killed: its sandbox dies with it, but a moment later.
constexpr absl::Duration kSweepDelay = absl::Milliseconds(500);

metrics::Counter starts({.name = "slipway_dispatcher_agent_starts_total",
                         .description = "Agents started as child processes.",
                         .labels = {"outcome"}});

metrics::Counter swept({.name = "slipway_dispatcher_workspaces_swept_total",
                        .description = "Workspaces removed that killed agents had left.",
                        .labels = {}});

void SweepOne(const std::string& directory) {
  const absl::StatusOr<sandbox::Swept> result = sandbox::SweepWorkspaces(directory);
  const std::string problem =
      result.ok() ? result->problem : std::string(result.status().message());
  if (result.ok() && result->removed > 0) {
    swept.Increment(static_cast<uint64_t>(result->removed));
    log::Info("removed what killed agents left",
              {{"directory", directory}, {"workspaces", result->removed}});
  }
  // The next sweep tries again.
  if (!problem.empty()) log::Warning("a workspace was not removed", {{"error", problem}});
}

std::string Describe(const base::ProcessExit& exit) {
  if (exit.signal != 0) return absl::StrCat("ended by signal ", exit.signal);
  return absl::StrCat("exited with status ", exit.code);
}

}  // namespace

ProcessFleet::ProcessFleet(std::map<std::string, Program> programs, AgentTokens& tokens,
                           base::Clock& clock)
    : programs_(std::move(programs)), tokens_(tokens), clock_(clock) {}

void ProcessFleet::Begin(OnExited on_exited) {
  on_exited_ = std::move(on_exited);
  sweeper_ = std::make_unique<base::ThreadPool>(base::ThreadPool::Options{.threads = 1});
  thread_ = std::thread([this] { Loop(); });
}

void ProcessFleet::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  Sweep();
  sweeper_->Stop();  // Which runs that sweep to its end.
}

void ProcessFleet::Adopt(const std::vector<StartIntent>& intents) {
  for (const StartIntent& intent : intents)
    on_exited_(intent.agent, "it ended with its dispatcher");
}

void ProcessFleet::Start(Order order) {
  base::MutexLock lock(mutex_);
  orders_.push_back(std::move(order));
  changed_.NotifyAll();
}

void ProcessFleet::Retire(const std::string& agent) {
  base::MutexLock lock(mutex_);
  orders_.push_back({.agent = agent});
  changed_.NotifyAll();
}

// Children die with the thread that started them, so it is this one throughout.
void ProcessFleet::Loop() {
  while (true) {
    std::vector<Order> orders;
    {
      base::MutexLock lock(mutex_);
      if (!stopping_ && orders_.empty()) {
        if (children_.empty() && sweep_at_ == absl::InfiniteDuration()) {
          changed_.Wait(mutex_);
        } else {
          changed_.WaitFor(mutex_, kWatchInterval);
        }
      }
      if (stopping_) break;
      orders = std::exchange(orders_, {});
    }
    for (const Order& order : orders) Obey(order);
    Watch();
    if (clock_.Elapsed() < sweep_at_) continue;
    sweep_at_ = absl::InfiniteDuration();
    Sweep();
  }
  children_.clear();  // Kills and reaps them.
}

void ProcessFleet::Obey(const Order& order) {
  if (!order.host.empty()) return Launch(order);
  const auto child = children_.find(order.agent);
  if (child == children_.end()) return;
  const absl::Duration now = clock_.Elapsed();
  child->second.terminate_at = now + kRetireGrace;
  child->second.kill_at = now + kRetireGrace + kKillGrace;
}

void ProcessFleet::Launch(const Order& order) {
  const auto& [host, agent, token] = order;
  const auto program = programs_.find(host);
  if (program == programs_.end()) return on_exited_(agent, absl::StrCat(host, " is not known"));
  tokens_.Add(token, {.host = host, .agent = agent});
  absl::StatusOr<base::Process> process = base::Process::Spawn(
      {.argv = {program->second.path, "--config", program->second.config},
       .env = {{"SLIPWAY_AGENT_ID", agent},
               {"SLIPWAY_AGENT_HOST", std::string(absl::StripPrefix(host, "hosts/"))},
               {"SLIPWAY_AGENT_TOKEN", token}},
       .inherit_env = true,
       .fds = {{2, STDERR_FILENO}}});
  if (!process.ok()) {
    starts.Increment({"failed"});
    tokens_.Remove(agent);
    log::Warning("an agent could not be started",
                 {{"host", host}, {"error", process.status().ToString()}});
    return on_exited_(agent, absl::StrCat("cannot start ", program->second.path, ": ",
                                          process.status().message()));
  }
  starts.Increment({"started"});
  children_.emplace(agent, Child{.process = *std::move(process)});
}

void ProcessFleet::Watch() {
  const absl::Duration now = clock_.Elapsed();
  for (auto at = children_.begin(); at != children_.end();) {
    Child& child = at->second;
    if (Reap(at->first, child)) {
      at = children_.erase(at);
      continue;
    }
    if (child.terminate_at <= now) {
      child.process.Signal(SIGTERM);
      child.terminate_at = absl::InfiniteDuration();
    }
    if (child.kill_at <= now) {
      child.process.Signal(SIGKILL);
      child.kill_at = absl::InfiniteDuration();
    }
    ++at;
  }
}

bool ProcessFleet::Reap(const std::string& agent, Child& child) {
  const absl::StatusOr<base::ProcessExit> exit = child.process.Wait(absl::ZeroDuration());
  if (absl::IsDeadlineExceeded(exit.status())) return false;
  tokens_.Remove(agent);
  const std::string problem = exit.ok() ? Describe(*exit) : std::string(exit.status().message());
  if (exit.ok() && !exit->ok()) {
    log::Warning("an agent ended", {{"agent", agent}, {"problem", problem}});
    sweep_at_ = std::min(sweep_at_, clock_.Elapsed() + kSweepDelay);
  }
  on_exited_(agent, problem);
  return true;
}

void ProcessFleet::Sweep() {
  std::set<std::string> directories;
  for (const auto& [host, program] : programs_) {
    if (!program.workspaces.empty()) directories.insert(program.workspaces);
  }
  // A queue of thousands is full only when sweeps take forever; a later one does the same.
  for (const std::string& directory : directories) {
    sweeper_->TryRun([directory] { SweepOne(directory); }).IgnoreError();
  }
}

}  // namespace slipway::dispatcher
