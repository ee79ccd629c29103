#include "services/dispatcher/domain/host_flow.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

metrics::Gauge agents_by_host({.name = "slipway_dispatcher_host_agents",
                               .description = "Agents of a host, by what they do.",
                               .labels = {"host", "state"}});
metrics::Gauge agents_wanted({.name = "slipway_dispatcher_host_agents_wanted",
                              .description = "Agents that a host could use now.",
                              .labels = {"host"}});
metrics::Gauge hosts_closed({.name = "slipway_dispatcher_host_closed",
                             .description = "1 while nothing is started on a host.",
                             .labels = {"host"}});

}  // namespace

HostFlow::HostFlow(Collaborators with)
    : board_(with.board),
      tasks_(with.tasks),
      roster_(with.roster),
      outbox_(with.outbox),
      fleet_(with.fleet),
      clock_(with.clock),
      ids_(with.ids),
      settings_(with.settings) {}

void HostFlow::Restore(const std::vector<StartIntent>& intents,
                       const std::vector<HostOrder>& orders) {
  for (const HostOrder& order : orders) NoteOrder(order);
  std::map<std::string, AttemptKey> held;
  for (const AttemptKey& key : board_.live_attempts()) held[board_.FindAttempt(key)->agent] = key;
  std::vector<StartIntent> adopted;
  for (const StartIntent& intent : intents) {
    if (!roster_.AgentsOutlive(intent.host)) {
      log::Warning("an agent's host is not configured any more, its container is left to it",
                   {{"host", intent.host}, {"agent", intent.agent}});
      board_.EndStart(intent.agent);
      continue;
    }
    Agent agent{.id = intent.agent,
                .host = intent.host,
                .process = true,
                .start_deadline = clock_.Elapsed() + settings_.lease_timeout + kReattachGrace};
    if (const auto found = held.find(intent.agent); found != held.end()) {
      agent.state = AgentState::kBusy;
      agent.attempt = found->second;
    }
    roster_.Add(std::move(agent));
    intents_.insert(intent.agent);
    adopted.push_back(intent);
  }
  fleet_.Adopt(adopted);
}

void HostFlow::Scale(int unserved) {
  const absl::Duration now = clock_.Elapsed();
  NoteDemand(unserved, now);
  for (const std::string& host : roster_.HostsToStartOn(unserved, now)) {
    const bool contained = roster_.AgentsOutlive(host);
    AgentFleet::Order order{
        .host = host, .agent = ids_.NewId("agent"), .token = ids_.NewSecret("agent-")};
    roster_.Add({.id = order.agent,
                 .host = host,
                 .process = true,
                 .start_deadline = now + StartTimeout(host)});
    if (contained) {
      intents_.insert(order.agent);
      board_.StoreStart({.agent = order.agent,
                         .host = host,
                         .token_digest = AgentTokens::Digest(order.token),
                         .create_time = clock_.Now()});
    }
    outbox_.Add([this, order = std::move(order)]() mutable { fleet_.Start(std::move(order)); });
  }
}

void HostFlow::HeldNumber::Note(int now_value, absl::Duration now) {
  if (now_value >= value) {
    *this = {.value = now_value};
    return;
  }
  if (lower_since == absl::InfiniteDuration()) {
    lower_since = now;
    highest = now_value;
  }
  highest = std::max(highest, now_value);
  if (now - lower_since >= kWantedHold) *this = {.value = highest};
}

void HostFlow::NoteDemand(int unserved, absl::Duration now) {
  for (const HostStatus& host : roster_.Statuses(now)) {
    const bool open = !host.order.cordoned;
    const int waiting = open ? std::clamp(host.slots - host.busy, 0, unserved) : 0;
    Demand& demand = demand_[host.name];
    demand.waiting.Note(waiting, now);
    demand.wanted.Note(host.busy + waiting, now);
  }
}

std::vector<HostStatus> HostFlow::List() const {
  std::vector<HostStatus> hosts = roster_.Statuses(clock_.Elapsed());
  for (HostStatus& host : hosts) {
    const auto found = demand_.find(host.name);
    if (found == demand_.end()) continue;
    host.wanted = found->second.wanted.value;
    host.waiting = found->second.waiting.value;
  }
  return hosts;
}

absl::Duration HostFlow::StartTimeout(const std::string& host) const {
  if (roster_.Runs(host, HostDriver::kKubernetes)) return kPodStartTimeout;
  return roster_.AgentsOutlive(host) ? kContainerStartTimeout : kStartTimeout;
}

void HostFlow::OnAgentExited(const std::string& agent) {
  idle_since_.erase(agent);
  if (intents_.erase(agent) > 0) board_.EndStart(agent);
}

void HostFlow::OnHostReach(const std::string& host, const std::string& problem) {
  roster_.NoteReach(host, problem);
}

void HostFlow::CheckHosts() {
  const absl::Duration now = clock_.Elapsed();
  std::vector<std::string> waiting;
  for (const auto& [id, agent] : roster_.agents()) {
    if (!agent.process) continue;  // Nobody but itself lets it go.
    if (agent.state != AgentState::kIdle) {
      idle_since_.erase(id);
      continue;
    }
    idle_since_.try_emplace(id, now);
    waiting.push_back(id);
  }
  // Who waited longest goes first.
  std::sort(waiting.begin(), waiting.end(), [this](const std::string& a, const std::string& b) {
    return idle_since_.at(a) < idle_since_.at(b);
  });
  for (const std::string& id : waiting) {
    Agent& agent = *roster_.Find(id);
    const HostOrder* const order = roster_.FindOrder(agent.host);
    if (agent.process && order != nullptr && order->draining) {
      LetGo(agent, "its host is drained");
    } else if (now - idle_since_.at(id) >= kIdleTimeout && roster_.Surplus(agent.host) > 0) {
      LetGo(agent, "there was no work");
    } else if (now - idle_since_.at(id) >= kIdleAgeMax && roster_.AgentsOutlive(agent.host)) {
      LetGo(agent, "it waited so long that it might not live through an attempt");
    }
  }
  for (const HostStatus& host : List()) {
    const auto drain = drains_due_.find(host.name);
    if (drain != drains_due_.end() && drain->second <= now) TakeBack(host.name);
    agents_by_host.Set({host.name, "connected"}, host.agents);
    agents_by_host.Set({host.name, "starting"}, host.starting);
    agents_by_host.Set({host.name, "busy"}, host.busy);
    agents_wanted.Set({host.name}, host.wanted);
    hosts_closed.Set({host.name}, host.open && !host.order.cordoned ? 0 : 1);
  }
}

void HostFlow::ReleaseIdle() {
  for (const auto& [id, agent] : roster_.agents()) {
    if (agent.attempt.has_value() || !roster_.AgentsOutlive(agent.host)) continue;
    outbox_.Add([this, id = id] { fleet_.Retire(id); });
  }
}

void HostFlow::LetGo(Agent& agent, const std::string& why) {
  roster_.SetState(agent, AgentState::kSpent);
  idle_since_.erase(agent.id);
  if (agent.session != nullptr) {
    outbox_.Add([session = agent.session, why] { session->Send(Goodbye{.reason = why}); });
  }
  outbox_.Add([this, id = agent.id] { fleet_.Retire(id); });
}

void HostFlow::TakeBack(const std::string& host) {
  const std::set<AttemptKey> live = board_.live_attempts();
  for (const AttemptKey& key : live) {
    if (board_.FindAttempt(key)->host != host) continue;
    Task& task = *board_.FindTask(key.task);
    tasks_.StopAgent(task, AttemptCommand::kPause, AttemptState::kPaused, "host_drain");
    if (task.state == TaskState::kRunning) {
      tasks_.Requeue(task, "host_drain", absl::StrCat(host, " is drained"));
    }
  }
}

void HostFlow::NoteOrder(const HostOrder& order) {
  roster_.SetOrder(order);
  drains_due_.erase(order.host);
  if (!order.draining || !order.drain_deadline.has_value()) return;
  const absl::Duration left = std::max(absl::ZeroDuration(), *order.drain_deadline - clock_.Now());
  drains_due_[order.host] = clock_.Elapsed() + left;
}

absl::StatusOr<HostStatus> HostFlow::Decide(HostOrder order) {
  const HostOrder* const known = roster_.FindOrder(order.host);
  if (known == nullptr) return HostUnknown(order.host);
  order.time = clock_.Now();
  NoteOrder(order);
  board_.StoreHostOrder(order);
  log::Info("a host was given an order", {{"host", order.host},
                                          {"cordoned", order.cordoned},
                                          {"draining", order.draining},
                                          {"actor", order.actor}});
  for (const HostStatus& status : List()) {
    if (status.name == order.host) return status;
  }
  return HostUnknown(order.host);
}

absl::StatusOr<HostStatus> HostFlow::Cordon(const std::string& host, const std::string& reason,
                                            const std::string& actor) {
  return Decide({.host = host, .cordoned = true, .reason = reason, .actor = actor});
}

absl::StatusOr<HostStatus> HostFlow::Uncordon(const std::string& host, const std::string& actor) {
  return Decide({.host = host, .actor = actor});
}

absl::StatusOr<HostStatus> HostFlow::Drain(const std::string& host, absl::Duration patience,
                                           const std::string& reason, const std::string& actor) {
  HostOrder order{
      .host = host, .cordoned = true, .draining = true, .reason = reason, .actor = actor};
  if (patience != absl::InfiniteDuration()) order.drain_deadline = clock_.Now() + patience;
  return Decide(std::move(order));
}

}  // namespace slipway::dispatcher
