#include "services/dispatcher/domain/agent_roster.h"

#include <algorithm>
#include <utility>

#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

constexpr absl::Duration kStartBackoffInitial = absl::Seconds(1);
constexpr int kStartDoublingsMax = 6;  // About a minute.

}  // namespace

AgentRoster::AgentRoster(const Settings& settings) {
  for (const HostSettings& host : settings.hosts) hosts_[host.name].settings = host;
}

Agent* AgentRoster::Find(const std::string& id) {
  const auto found = agents_.find(id);
  return found == agents_.end() ? nullptr : &found->second;
}

Agent& AgentRoster::Add(Agent agent) {
  const std::string id = agent.id;
  return agents_.insert_or_assign(id, std::move(agent)).first->second;
}

void AgentRoster::Remove(const std::string& id) { agents_.erase(id); }

Agent* AgentRoster::FindIdle() {
  for (auto& [id, agent] : agents_) {
    if (agent.state == AgentState::kIdle && agent.session != nullptr) return &agent;
  }
  return nullptr;
}

Agent* AgentRoster::FindBySession(const AgentSession* session) {
  for (auto& [id, agent] : agents_) {
    if (agent.session.get() == session) return &agent;
  }
  return nullptr;
}

std::vector<std::string> AgentRoster::Overdue(absl::Duration elapsed) const {
  std::vector<std::string> overdue;
  for (const auto& [id, agent] : agents_) {
    if (agent.state == AgentState::kStarting && agent.start_deadline <= elapsed) {
      overdue.push_back(id);
    }
  }
  return overdue;
}

bool AgentRoster::IsProcessHost(const std::string& host) const {
  const auto found = hosts_.find(host);
  return found != hosts_.end() && found->second.settings.process;
}

std::vector<std::string> AgentRoster::HostsToStartOn(int unserved, absl::Duration elapsed) const {
  std::vector<std::string> starts;
  for (const auto& [name, host] : hosts_) {
    if (!host.settings.process || host.not_before > elapsed) continue;
    int present = 0;
    int available = 0;
    for (const auto& [id, agent] : agents_) {
      if (agent.host != name) continue;
      ++present;
      if (agent.state == AgentState::kStarting || agent.state == AgentState::kIdle) ++available;
    }
    const int wanted = unserved + host.settings.warm - available;
    const int count = std::clamp(wanted, 0, std::max(0, host.settings.slots - present));
    starts.insert(starts.end(), static_cast<size_t>(count), name);
    unserved = std::max(0, unserved - available - count);
  }
  return starts;
}

void AgentRoster::NoteStarted(const std::string& host) {
  const auto found = hosts_.find(host);
  if (found == hosts_.end()) return;
  found->second.problem.clear();
  found->second.failures = 0;
  found->second.not_before = absl::ZeroDuration();
}

void AgentRoster::NoteStartFailed(const std::string& host, const std::string& problem,
                                  absl::Duration elapsed) {
  const auto found = hosts_.find(host);
  if (found == hosts_.end()) return;
  const int doublings = std::min(found->second.failures++, kStartDoublingsMax);
  found->second.problem = problem;
  found->second.not_before = elapsed + kStartBackoffInitial * (int64_t{1} << doublings);
}

std::vector<HostStatus> AgentRoster::Statuses() const {
  std::vector<HostStatus> statuses;
  for (const auto& [name, host] : hosts_) {
    HostStatus status{.name = name,
                      .process = host.settings.process,
                      .slots = host.settings.slots,
                      .problem = host.problem};
    for (const auto& [id, agent] : agents_) {
      if (agent.host != name) continue;
      if (agent.session != nullptr) ++status.agents;
      if (agent.state == AgentState::kBusy) ++status.busy;
    }
    statuses.push_back(std::move(status));
  }
  return statuses;
}

}  // namespace slipway::dispatcher
