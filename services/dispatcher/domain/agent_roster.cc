#include "services/dispatcher/domain/agent_roster.h"

#include <algorithm>
#include <utility>

#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

constexpr absl::Duration kStartBackoffInitial = absl::Seconds(1);
constexpr int kStartDoublingsMax = 6;  // About a minute.

// An engine starts containers one after the other, each in a fraction of a second: more would only
// wait there, and could not be placed elsewhere.
constexpr int kContainerStartsMax = 4;
// A cluster starts pods side by side on its nodes; more than it has room for could not be placed
// elsewhere, either.
constexpr int kPodStartsMax = 16;

}  // namespace

AgentRoster::AgentRoster(const Settings& settings) {
  for (const HostSettings& host : settings.hosts) {
    hosts_[host.name].settings = host;
    hosts_[host.name].order.host = host.name;
  }
}

Agent* AgentRoster::Find(const std::string& id) {
  const auto found = agents_.find(id);
  return found == agents_.end() ? nullptr : &found->second;
}

Agent& AgentRoster::Add(Agent agent) {
  const std::string id = agent.id;
  if (const Agent* const before = Find(id); before != nullptr) Count(*before, -1);
  Agent& added = agents_.insert_or_assign(id, std::move(agent)).first->second;
  Count(added, 1);
  SetState(added, added.state);
  return added;
}

void AgentRoster::Remove(const std::string& id) {
  const auto found = agents_.find(id);
  if (found == agents_.end()) return;
  Count(found->second, -1);
  by_session_.erase(found->second.session.get());
  idle_.erase(id);
  agents_.erase(found);
}

Agent* AgentRoster::FindIdle(absl::FunctionRef<int(const std::string&)> attempts_on) {
  for (const std::string& id : idle_) {
    Agent& agent = agents_.at(id);
    if (agent.session == nullptr) continue;
    const auto host = hosts_.find(agent.host);
    if (host == hosts_.end()) return &agent;
    const bool has_room = attempts_on(agent.host) < host->second.settings.slots;
    if (!host->second.order.cordoned && has_room) return &agent;
  }
  return nullptr;
}

AgentRoster::Counts AgentRoster::CountsOf(const std::string& host) const {
  const auto found = counts_.find(host);
  return found == counts_.end() ? Counts() : found->second;
}

void AgentRoster::Count(const Agent& agent, int by) {
  Counts& counts = counts_[agent.host];
  counts.present += by;
  if (agent.session != nullptr) counts.connected += by;
  if (agent.state == AgentState::kStarting) counts.starting += by;
  if (agent.state == AgentState::kIdle) counts.idle += by;
  if (agent.state == AgentState::kBusy) counts.busy += by;
}

void AgentRoster::SetState(Agent& agent, AgentState state) {
  Count(agent, -1);
  agent.state = state;
  Count(agent, 1);
  if (state == AgentState::kIdle) {
    idle_.insert(agent.id);
  } else {
    idle_.erase(agent.id);
  }
}

Agent* AgentRoster::FindBySession(const AgentSession* session) {
  const auto found = by_session_.find(session);
  return found == by_session_.end() ? nullptr : Find(found->second);
}

void AgentRoster::SetSession(Agent& agent, std::shared_ptr<AgentSession> session) {
  by_session_.erase(agent.session.get());
  Count(agent, -1);
  agent.session = std::move(session);
  Count(agent, 1);
  if (agent.session != nullptr) by_session_[agent.session.get()] = agent.id;
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

bool AgentRoster::Runs(const std::string& host, HostDriver driver) const {
  const auto found = hosts_.find(host);
  return found != hosts_.end() && found->second.settings.driver == driver;
}

bool AgentRoster::AgentsOutlive(const std::string& host) const {
  const auto found = hosts_.find(host);
  return found != hosts_.end() && OutliveDispatcher(found->second.settings.driver);
}

std::vector<AgentRoster::Room> AgentRoster::Rooms(absl::Duration elapsed) const {
  std::vector<Room> rooms;
  for (const auto& [name, host] : hosts_) {
    if (!host.Starts(elapsed)) continue;
    const Counts counts = CountsOf(name);
    int free = std::max(0, host.settings.slots - counts.present);
    if (OutliveDispatcher(host.settings.driver)) {
      const bool pods = host.settings.driver == HostDriver::kKubernetes;
      free = std::clamp((pods ? kPodStartsMax : kContainerStartsMax) - counts.starting, 0, free);
    }
    rooms.push_back({.host = name,
                     .free = free,
                     .available = counts.starting + counts.idle,
                     .warm = host.settings.warm});
  }
  return rooms;
}

std::vector<std::string> AgentRoster::HostsToStartOn(int unserved, absl::Duration elapsed) const {
  std::vector<Room> rooms = Rooms(elapsed);
  std::vector<std::string> starts;
  // Those that are there, or come, serve first.
  for (Room& room : rooms) {
    const int served = std::min(unserved, room.available);
    room.available -= served;
    unserved -= served;
  }
  for (; unserved > 0; --unserved) {
    const auto most = std::max_element(
        rooms.begin(), rooms.end(), [](const Room& a, const Room& b) { return a.free < b.free; });
    if (most == rooms.end() || most->free == 0) break;
    --most->free;
    starts.push_back(most->host);
  }
  for (const Room& room : rooms) {
    const int count = std::clamp(room.warm - room.available, 0, room.free);
    starts.insert(starts.end(), static_cast<size_t>(count), room.host);
  }
  return starts;
}

int AgentRoster::Startable(absl::Duration elapsed) const {
  int startable = 0;
  for (const Room& room : Rooms(elapsed)) startable += room.free + room.available;
  for (const auto& [name, host] : hosts_) {
    if (host.settings.driver != HostDriver::kExternal || host.order.cordoned) continue;
    startable += std::max(0, host.settings.slots - CountsOf(name).busy);
  }
  return startable;
}

int AgentRoster::Surplus(const std::string& host) const {
  if (!AgentsOutlive(host)) return 0;
  return std::max(0, CountsOf(host).idle - hosts_.at(host).settings.warm);
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

void AgentRoster::NoteReach(const std::string& host, const std::string& problem) {
  const auto found = hosts_.find(host);
  if (found == hosts_.end()) return;
  found->second.unreachable = problem;
  // What failed while it was away says nothing about the host that is back.
  if (problem.empty()) NoteStarted(host);
}

const HostOrder* AgentRoster::FindOrder(const std::string& host) const {
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? nullptr : &found->second.order;
}

void AgentRoster::SetOrder(const HostOrder& order) {
  const auto found = hosts_.find(order.host);
  if (found != hosts_.end()) found->second.order = order;
}

std::vector<HostStatus> AgentRoster::Statuses(absl::Duration elapsed) const {
  std::vector<HostStatus> statuses;
  for (const auto& [name, host] : hosts_) {
    HostStatus status{.name = name,
                      .driver = host.settings.driver,
                      .slots = host.settings.slots,
                      .warm = host.settings.warm,
                      .order = host.order,
                      .open = host.unreachable.empty() && host.not_before <= elapsed,
                      .problem = host.unreachable.empty() ? host.problem : host.unreachable};
    const Counts counts = CountsOf(name);
    status.agents = counts.connected;
    status.starting = counts.starting;
    status.busy = counts.busy;
    statuses.push_back(std::move(status));
  }
  return statuses;
}

}  // namespace slipway::dispatcher
