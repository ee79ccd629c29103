#include "services/dispatcher/fleet/process_fleet.h"

#include <signal.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

namespace slipway::dispatcher {
namespace {

// What an agent that is not needed gets to end by itself, and then to obey.
constexpr absl::Duration kRetireGrace = absl::Seconds(10);
constexpr absl::Duration kKillGrace = absl::Seconds(5);

// How soon an exit is seen: a slot is free so much later.
constexpr absl::Duration kWatchInterval = absl::Milliseconds(20);

metrics::Counter starts({.name = "slipway_dispatcher_agent_starts_total",
                         .description = "Agents started as child processes.",
                         .labels = {"outcome"}});

std::string Describe(const base::ProcessExit& exit) {
  if (exit.signal != 0) return absl::StrCat("ended by signal ", exit.signal);
  return absl::StrCat("exited with status ", exit.code);
}

}  // namespace

ProcessFleet::ProcessFleet(std::map<std::string, Program> programs, AgentTokens& tokens,
                           base::IdGenerator& ids, base::Clock& clock)
    : programs_(std::move(programs)), tokens_(tokens), ids_(ids), clock_(clock) {}

void ProcessFleet::Begin(OnExited on_exited) {
  on_exited_ = std::move(on_exited);
  thread_ = std::thread([this] { Loop(); });
}

void ProcessFleet::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void ProcessFleet::Start(const std::string& host, const std::string& agent) {
  base::MutexLock lock(mutex_);
  orders_.push_back({.host = host, .agent = agent});
  changed_.NotifyAll();
}

void ProcessFleet::Retire(const std::string& agent) {
  base::MutexLock lock(mutex_);
  orders_.push_back({.host = "", .agent = agent});
  changed_.NotifyAll();
}

// Children die with the thread that started them, so it is this one throughout.
void ProcessFleet::Loop() {
  while (true) {
    std::vector<Order> orders;
    {
      base::MutexLock lock(mutex_);
      if (!stopping_ && orders_.empty()) {
        if (children_.empty()) {
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
  }
  children_.clear();  // Kills and reaps them.
}

void ProcessFleet::Obey(const Order& order) {
  if (!order.host.empty()) return Launch(order.host, order.agent);
  const auto child = children_.find(order.agent);
  if (child == children_.end()) return;
  const absl::Duration now = clock_.Elapsed();
  child->second.terminate_at = now + kRetireGrace;
  child->second.kill_at = now + kRetireGrace + kKillGrace;
}

void ProcessFleet::Launch(const std::string& host, const std::string& agent) {
  const auto program = programs_.find(host);
  if (program == programs_.end()) return on_exited_(agent, absl::StrCat(host, " is not known"));
  const std::string token = ids_.NewSecret("agent-");
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
  }
  on_exited_(agent, problem);
  return true;
}

}  // namespace slipway::dispatcher
