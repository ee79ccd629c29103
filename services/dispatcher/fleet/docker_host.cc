#include "services/dispatcher/fleet/docker_host.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/sandbox/workspace.h"
#include "services/dispatcher/fleet/container_spec.h"

namespace slipway::dispatcher {
namespace {

// What an agent that is not needed gets to end by itself, and then to obey.
constexpr absl::Duration kContainerGrace = absl::Seconds(5);
constexpr absl::Duration kContainerKillGrace = absl::Seconds(5);

// How soon an end is seen, and how often an engine without agents is looked at.
constexpr absl::Duration kListInterval = absl::Milliseconds(250);
constexpr absl::Duration kIdleInterval = absl::Seconds(10);
constexpr absl::Duration kAwayInterval = absl::Milliseconds(500);  // Doubled five times.
constexpr int kAwayDoublingsMax = 5;

// An engine that answers with its own failures may do better; work need not wait for it long.
constexpr int kTriesMax = 3;

// A call that failed may be done a moment later.
constexpr int kSettlingLooks = 4;

constexpr char kContainerPrefix[] = "slipway-";

metrics::Counter container_starts(
    {.name = "slipway_dispatcher_container_starts_total",
     .description = "Agents' containers, by what became of their start.",
     .labels = {"host", "outcome"}});
metrics::Counter containers_swept({.name = "slipway_dispatcher_containers_swept_total",
                                   .description = "Containers removed that no agent was known for.",
                                   .labels = {"host"}});
metrics::Gauge engine_reached({.name = "slipway_dispatcher_engine_reached",
                               .description = "1 while a host's engine answers.",
                               .labels = {"host"}});

std::string NameOf(const std::string& agent) { return absl::StrCat(kContainerPrefix, agent); }

// Whether a call may have been done although no success was told.
bool IsOpen(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnknown ||
         status.code() == absl::StatusCode::kUnavailable;
}

std::string DescribeExit(const EngineExit& exit, const std::string& last_line) {
  std::string text = exit.out_of_memory    ? std::string("ran out of memory")
                     : !exit.error.empty() ? absl::StrCat("did not start: ", exit.error)
                     : exit.code > 128     ? absl::StrCat("ended by signal ", exit.code - 128)
                                           : absl::StrCat("exited with status ", exit.code);
  if (exit.code != 0 && !last_line.empty()) absl::StrAppend(&text, ": ", last_line);
  return text;
}

}  // namespace

DockerHost::DockerHost(Options options, http::Client& client, AgentTokens& tokens,
                       base::Clock& clock)
    : options_(std::move(options)),
      engine_(client, options_.engine),
      tokens_(tokens),
      clock_(clock) {
  if (options_.ssh.has_value()) tunnel_.emplace(*options_.ssh);
}

void DockerHost::Begin(const std::vector<StartIntent>& intents, Reports reports) {
  reports_ = std::move(reports);
  for (const StartIntent& intent : intents) {
    Child& child = children_[intent.agent];
    tokens_.AddDigest(intent.token_digest, {.host = options_.name, .agent = intent.agent});
    child.seen = true;  // Without its token it cannot be made again.
    if (const absl::Status open = OpenEndpoints(intent.agent, child); !open.ok()) {
      child.failed = true;
      child.problem = std::string(open.message());
    }
  }
  if (!intents.empty()) {
    log::Info("adopted agents", {{"host", options_.name}, {"agents", intents.size()}});
  }
  SweepDirectories();
  thread_ = std::thread([this] { Loop(); });
}

void DockerHost::Stop() {
  inbox_.Stop();
  if (thread_.joinable()) thread_.join();
}

void DockerHost::Start(AgentFleet::Order order) { inbox_.Start(std::move(order)); }

void DockerHost::Retire(const std::string& agent) { inbox_.Retire(agent); }

absl::Duration DockerHost::Pause() const {
  if (failures_ > 0) {
    return kAwayInterval * (int64_t{1} << std::min(failures_ - 1, kAwayDoublingsMax));
  }
  return children_.empty() && settling_ == 0 ? kIdleInterval : kListInterval;
}

void DockerHost::Loop() {
  do {
    settling_ = std::max(0, settling_ - 1);
    Look();
    Reap();
  } while (inbox_.Wait(Pause()));
  Obey();
  for (const auto& [agent, child] : children_) {
    if (child.kill_at != absl::InfiniteDuration()) engine_.Remove(NameOf(agent)).IgnoreError();
  }
  for (auto& [agent, child] : children_) {
    if (child.kill_at != absl::InfiniteDuration() && child.endpoints) child.endpoints->Remove();
  }
}

void DockerHost::Obey() {
  for (AgentFleet::Order& order : inbox_.Take()) {
    if (!order.host.empty()) {
      tokens_.Add(order.token, {.host = options_.name, .agent = order.agent});
      children_[order.agent].token = std::move(order.token);
      continue;
    }
    const auto found = children_.find(order.agent);
    if (found == children_.end()) continue;
    found->second.terminate_at = clock_.Elapsed() + kContainerGrace;
    found->second.kill_at = clock_.Elapsed() + kContainerGrace + kContainerKillGrace;
  }
}

void DockerHost::Look() {
  const absl::StatusOr<std::vector<EngineContainer>> listed = ListContainers();
  Obey();  // After the list: what was asked for since is not missing in it.
  if (!listed.ok()) {
    ++failures_;
    SetReach(std::string(listed.status().message()));
    // What was perhaps not made need not wait for the engine: others can do its work.
    for (auto& [agent, child] : children_) {
      if (child.seen) continue;
      child.failed = true;
      child.problem = std::string(listed.status().message());
    }
    return;
  }
  failures_ = 0;
  SetReach("");
  Containers containers;
  for (const EngineContainer& container : *listed) containers[container.name] = container;
  for (auto& [agent, child] : children_) {
    const auto found = containers.find(NameOf(agent));
    if (!child.failed) Step(agent, child, found == containers.end() ? nullptr : &found->second);
  }
  RemoveStrangers(containers);
}

void DockerHost::Step(const std::string& agent, Child& child, const EngineContainer* container) {
  if (container == nullptr) {
    if (!child.seen && child.kill_at == absl::InfiniteDuration()) return Make(agent, child);
    child.failed = true;
    child.problem = child.seen ? "its container is gone" : "it was not needed any more";
    return;
  }
  child.seen = true;
  if (container->state == "created") return Run(*container, child);
  if (container->state == "exited" || container->state == "dead") {
    return ReportEnd(child, *container);
  }
  Watch(agent, child, *container);
}

void DockerHost::Make(const std::string& agent, Child& child) {
  const absl::Status open = OpenEndpoints(agent, child);
  const absl::StatusOr<std::string> id =
      open.ok() ? engine_.Create(NameOf(agent), SpecOf(agent, child)) : open;
  if (id.ok()) {
    child.seen = true;
    return Run({.id = *id, .name = NameOf(agent), .state = "created"}, child);
  }
  // The name is this agent's alone: an earlier call has made it. The next list has it.
  if (absl::IsAlreadyExists(id.status())) return;
  const bool again = IsOpen(id.status()) || absl::IsInternal(id.status());
  if (again && ++child.tries < kTriesMax) return;
  child.failed = true;
  child.problem = absl::StrCat("no container could be made: ", id.status().message());
  container_starts.Increment({options_.name, "failed"});
}

void DockerHost::Run(const EngineContainer& container, Child& child) {
  const absl::Status status = engine_.Start(container.id);
  if (status.ok()) return container_starts.Increment({options_.name, "started"});
  if (IsOpen(status) && ++child.tries < kTriesMax) return;
  child.failed = true;
  child.problem = absl::StrCat("the container did not start: ", status.message());
  container_starts.Increment({options_.name, "failed"});
}

void DockerHost::Watch(const std::string& agent, Child& child, const EngineContainer& container) {
  const absl::Duration now = clock_.Elapsed();
  absl::Status status;
  if (child.kill_at <= now) {
    status = engine_.Remove(container.id);
  } else if (child.terminate_at <= now) {
    child.terminate_at = absl::InfiniteDuration();
    status = engine_.Signal(container.id, "TERM");
  }
  if (!status.ok()) {
    log::Warning("an agent's container could not be ended",
                 {{"host", options_.name}, {"agent", agent}, {"error", status.message()}});
  }
}

void DockerHost::ReportEnd(Child& child, const EngineContainer& container) {
  const absl::StatusOr<EngineExit> exit = engine_.Inspect(container.id);
  if (!exit.ok() && !absl::IsNotFound(exit.status())) return;  // Seen again soon.
  const bool failed = exit.ok() && exit->code != 0;
  const std::string last_line = failed ? engine_.LastLine(container.id).value_or("") : "";
  child.failed = true;
  child.problem = exit.ok() ? DescribeExit(*exit, last_line) : "its container is gone";
  engine_.Remove(container.id).IgnoreError();  // Else it is a stranger to the next list.
}

void DockerHost::RemoveStrangers(const Containers& containers) {
  for (const auto& [name, container] : containers) {
    const auto child = children_.find(std::string(absl::StripPrefix(name, kContainerPrefix)));
    if (child != children_.end() && !child->second.failed) continue;
    if (container.state == "removing") continue;
    const absl::Status removed = engine_.Remove(container.id);
    if (child != children_.end()) continue;
    containers_swept.Increment({options_.name});
    log::Info("removed a container of no known agent",
              {{"host", options_.name}, {"container", name}, {"error", removed.message()}});
  }
}

void DockerHost::Reap() {
  for (auto at = children_.begin(); at != children_.end();) {
    Child& child = at->second;
    if (!child.failed) {
      ++at;
      continue;
    }
    tokens_.Remove(at->first);
    if (child.endpoints != nullptr) child.endpoints->Remove();
    if (child.problem != "exited with status 0") {
      log::Warning("an agent ended",
                   {{"host", options_.name}, {"agent", at->first}, {"problem", child.problem}});
    }
    settling_ = kSettlingLooks;
    reports_.on_exited(at->first, std::move(child.problem));
    at = children_.erase(at);
  }
}

void DockerHost::SweepDirectories() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.socket_directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!absl::StartsWith(name, "agent-") || children_.count(name) > 0) continue;
    sandbox::RemoveWorkspace(entry.path().string()).IgnoreError();
  }
}

void DockerHost::SetReach(const std::string& problem) {
  engine_reached.Set({options_.name}, problem.empty() ? 1 : 0);
  if (problem.empty() == reach_.empty()) return;
  reach_ = problem;
  if (problem.empty()) {
    log::Info("the engine answers again", {{"host", options_.name}});
  } else {
    log::Warning(
        "the engine cannot be reached",
        {{"host", options_.name}, {"engine", options_.engine.address}, {"error", problem}});
  }
  reports_.on_reach(options_.name, problem);
}

absl::StatusOr<std::vector<EngineContainer>> DockerHost::ListContainers() {
  if (tunnel_.has_value()) RETURN_IF_ERROR(tunnel_->Ensure());
  return engine_.List({{kOwnerLabel, options_.owner}, {kHostLabel, options_.name}});
}

absl::Status DockerHost::OpenEndpoints(const std::string& agent, Child& child) {
  // By SSH all agents share two sockets on the engine's machine: their tokens tell them apart.
  if (child.endpoints != nullptr || tunnel_.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      child.endpoints,
      AgentEndpoints::Open({.directory = absl::StrCat(options_.socket_directory, "/", agent),
                            .agent_address = options_.agent_address,
                            .proxy_address = options_.proxy_address,
                            .agent_config = options_.agent_config,
                            .uid = options_.uid}));
  return absl::OkStatus();
}

std::string DockerHost::SpecOf(const std::string& agent, const Child& child) const {
  return ContainerSpec({.image = options_.image,
                        .program = options_.agent_program,
                        .owner = options_.owner,
                        .host = options_.name,
                        .agent = agent,
                        .token = child.token,
                        .directory = options_.ssh.has_value()
                                         ? options_.ssh->shared_directory
                                         : absl::StrCat(options_.socket_directory, "/", agent),
                        .uid = options_.uid,
                        .memory_bytes = options_.memory_bytes,
                        .milli_cpus = options_.milli_cpus,
                        .processes = options_.processes,
                        .workspace_bytes = options_.workspace_bytes,
                        .temporary_bytes = options_.temporary_bytes});
}

}  // namespace slipway::dispatcher
