#include "services/dispatcher/simulator/simulation.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"

namespace slipway::dispatcher::simulator {
namespace {

using absl::StrCat;
using faultdisk::Access;
using faultdisk::Fault;

// Calm time in which everything has to come to its end: retries back off for minutes.
constexpr int kCalmStepsMax = 4'000;
constexpr int kPatienceSteps = 600;  // Then people ask for what waits by a clock set far back.
constexpr int kKeysEndSteps = 2'000;

}  // namespace

const char* NameOf(Mutant mutant) {
  constexpr const char* kNames[kMutantCount] = {
      "none",          "syncs-lie",    "reply-before-commit", "no-epoch-check",
      "lease-by-wall", "never-fences", "lost-at-restart",     "epoch-set-back",
      "no-dependency", "merged-twice", "keys-never-revoked",  "limits-ignored",
      "no-aging",      "blind-retry",  "poison-ignored",      "impatient"};
  return kNames[static_cast<int>(mutant)];
}

class Simulation::Ids final : public base::IdGenerator {
 public:
  std::string NewId(absl::string_view prefix) override { return StrCat(prefix, "-", ++last_); }
  std::string NewSecret(absl::string_view prefix) override {
    return StrCat(prefix, "secret", ++last_);
  }

 private:
  int64_t last_ = 0;
};

// Child processes: they start late or never, and end with the dispatcher.
class Simulation::Fleet final : public AgentFleet {
 public:
  explicit Fleet(Simulation& simulation) : simulation_(simulation) {}

  void Start(Order order) override {
    World& world = simulation_.world_;
    const bool fails = world.Chance(10);
    Later([this, order, fails](World& now) {
      now.Count(fails ? "agents that did not start" : "agents started");
      if (fails) return now.dispatcher->OnAgentExited(order.agent, "no such program");
      simulation_.AddAgent({.id = order.agent, .host = order.host, .process = true});
    });
  }

  void Retire(const std::string& agent) override {
    Later([this, agent](World& now) {
      const auto found = simulation_.agents_.find(agent);
      if (found != simulation_.agents_.end()) found->second->Die();
      now.dispatcher->OnAgentExited(agent, "");
    });
  }

  void Adopt(const std::vector<StartIntent>&) override {}

 private:
  // Unless the dispatcher, and its children with it, is gone by then.
  void Later(std::function<void(World&)> act) {
    World& world = simulation_.world_;
    world.At(world.clock.true_elapsed() + world.AnyDelay(),
             [&world, incarnation = world.incarnation, act = std::move(act)] {
               if (world.dispatcher != nullptr && world.incarnation == incarnation) act(world);
             });
  }

  Simulation& simulation_;
};

Simulation::Simulation(const Options& options)
    : options_(options),
      world_(options.seed, options.mutant),
      disk_(options.seed ^ 0x9e3779b9, {.syncs_lie = options.mutant == Mutant::kSyncsLie}),
      vfs_(disk_),
      ids_(std::make_unique<Ids>()),
      fleet_(std::make_unique<Fleet>(*this)),
      people_(world_) {
  world_.failpoint = options.failpoint;
  HistoryWalk::Lookups lookups;
  lookups.spec = [this](const TaskKey& key) -> const TaskSpec* {
    const absl::StatusOr<std::optional<Task>> task = store_->FindTask(key);
    if (!task.ok() || !task->has_value()) return nullptr;
    return &(specs_[key] = (*task)->spec);
  };
  // The tables may be a few events ahead of the log that is walked: amendments are among them.
  lookups.spec_holds_at = [this](const std::string& plan, int64_t sequence) {
    const auto amended = last_amended_.find(plan);
    return amended == last_amended_.end() || sequence > amended->second;
  };
  lookups.parallel_max = [](const std::string& project) {
    return project == "projects/p0" ? 2 : 0;
  };
  lookups.rules = [rules = TheRules()](int64_t) { return &rules; };
  walk_.emplace(std::move(lookups), /*compacted=*/false, report_);
  for (int i = 0; i < 3; ++i) {
    AddAgent({.id = StrCat("outside-", i), .host = "hosts/outside"});
  }
}

Simulation::~Simulation() { EndProcess(); }

std::shared_ptr<SimAgent> Simulation::AddAgent(SimAgent::Options options) {
  auto agent = std::make_shared<SimAgent>(options, world_);
  agents_[options.id] = agent;
  return agent;
}

absl::Status Simulation::Run() {
  RETURN_IF_ERROR(Open());
  for (step_ = 1; step_ <= options_.steps; ++step_) {
    MakeTrouble();
    RETURN_IF_ERROR(Step(AnyPause()));
  }
  return Quiesce();
}

absl::Duration Simulation::AnyPause() {
  const uint64_t draw = world_.random.Below(100);
  if (draw < 65) return absl::Milliseconds(world_.random.Between(1, 900));
  if (draw < 92) return absl::Milliseconds(world_.random.Between(500, 3'000));
  return absl::Milliseconds(world_.random.Between(1'000, 9'000));
}

absl::Status Simulation::Step(absl::Duration by) {
  world_.clock.Advance(by);
  world_.Deliver();
  // Over a copy: agents come and go meanwhile.
  const auto agents = agents_;
  for (const auto& [id, agent] : agents) agent->Tick();
  people_.Tick();
  std::erase_if(agents_, [](const auto& entry) { return entry.second->dead(); });
  RETURN_IF_ERROR(RunQueues());
  return Check();
}

absl::Status Simulation::RunQueues() {
  bool ran = true;
  while (ran) {
    ran = dispatcher_->RunQueued();
    if (world_.Chance(1) && world_.random.OneIn(3)) {
      world_.Count("killed between a decision and its commit");
      return Crash(world_.random.OneIn(2));
    }
    RETURN_IF_ERROR(PassCommit());
    if (disk_.dead() || lost_) {
      if (disk_.tripped()) world_.Count(StrCat("fault at ", faultdisk::NameOf(disk_.tripped_at())));
      return Crash(disk_.power_lost());
    }
  }
  if (std::exchange(world_.kill_wanted, false)) return Crash(false);
  if (!world_.Chance(1)) return absl::OkStatus();
  if (world_.random.OneIn(3)) return StopAndStart();
  world_.Count("killed after a commit");
  return Crash(world_.random.OneIn(2));
}

// Commits what was decided, and tells it, unless a fault is between.
absl::Status Simulation::PassCommit() {
  if (!store_->HasQueued()) return absl::OkStatus();
  if (const std::optional<FailpointFault> fault = world_.Pass(Boundary::kDecided)) {
    world_.kill_wanted = false;
    if (fault == FailpointFault::kKill) return Crash(false);
    if (fault == FailpointFault::kError) return Crash(true);
    Freeze();
  }
  const std::optional<FailpointFault> fault = world_.Pass(Boundary::kCommitted);
  world_.kill_wanted = false;
  const bool untold = fault.has_value() && fault != FailpointFault::kDelay;
  world_.nobody_hears = untold;
  store_->RunQueued();
  world_.nobody_hears = false;
  if (untold) return Crash(fault != FailpointFault::kKill);
  if (fault.has_value()) Freeze();
  return absl::OkStatus();
}

// The dispatcher is stopped while everything else goes on.
void Simulation::Freeze() {
  for (absl::Duration passed; passed < kFailpointDelay; passed += absl::Seconds(1)) {
    world_.clock.Advance(absl::Seconds(1));
    world_.Deliver();
    const auto agents = agents_;
    for (const auto& [id, agent] : agents) agent->Tick();
  }
}

void Simulation::MaybeArmFault() {
  const Fault faults[] = {Fault::kPowerLoss, Fault::kKill, Fault::kIoError, Fault::kShortWrite,
                          Fault::kDiskFull};
  disk_.Arm({.fault = faults[world_.random.Below(5)],
             .accesses = {Access::kWrite, Access::kSync, Access::kTruncate},
             .countdown = static_cast<int>(world_.random.Between(1, 30))});
}

void Simulation::MakeTrouble() {
  if (world_.Chance(3)) MaybeArmFault();
  if (world_.Chance(2)) {
    const int64_t minutes = world_.random.Between(-90, 90);
    world_.Count(minutes < 0 ? "wall clock set back" : "wall clock set forward");
    world_.clock.StepWall(absl::Minutes(minutes));
  }
  TroubleAgents();
}

void Simulation::TroubleAgents() {
  const absl::Duration now = world_.clock.true_elapsed();
  for (const auto& [id, agent] : agents_) {
    if (!world_.Chance(3)) continue;
    const absl::Duration until = now + absl::Seconds(world_.random.Between(1, 100));
    switch (world_.random.Below(5)) {
      case 0:
      case 1:
        world_.Count("agents stopped");
        agent->Pause(until);
        break;
      case 2:
        world_.Count("agents cut off");
        agent->CutOff(until);
        break;
      case 3:
        world_.Count("connections broken");
        agent->LoseConnection();
        break;
      default:
        if (agent->options().process) {
          world_.Count("agents killed");
          agent->Die();
          if (world_.dispatcher != nullptr) world_.dispatcher->OnAgentExited(id, "killed");
        } else {
          world_.Count("agents rebooted");
          agent->Reboot();
        }
    }
  }
}

absl::Status Simulation::Quiesce() {
  world_.calm = true;
  disk_.Disarm();
  for (int i = 0; i < kCalmStepsMax; ++i, ++step_) {
    people_.Finish(/*impatient=*/i > kPatienceSteps && i % 60 == 0);
    RETURN_IF_ERROR(Step(absl::Seconds(1)));
    // Long enough for two sweeps of keys.
    const auto has_ended = [this](const AttemptKey& key) { return WasNeverStored(key); };
    const bool keys_ended =
        std::all_of(models_.open().begin(), models_.open().end(), has_ended) || i > kKeysEndSteps;
    if (i > 150 && AllEnded() && keys_ended) return CheckEnd();
  }
  const absl::StatusOr<TaskStore::RunPage> page = store_->ListRuns("", 0, 10);
  std::string open = page.ok() ? "" : page.status().ToString();
  for (const auto& [key, fold] : walk_->tasks()) {
    if (!IsEnd(fold.state)) absl::StrAppend(&open, " ", key.Name(), " is ", Name(fold.state));
  }
  return Breach(StrCat("I1: without faults not every run came to its end:", open));
}

bool Simulation::AllEnded() {
  return walk_->runs().size() == 3 &&
         std::all_of(walk_->runs().begin(), walk_->runs().end(),
                     [](const auto& entry) { return IsEnd(entry.second); });
}

absl::Status Simulation::Breach(const std::string& what) const {
  return absl::DataLossError(StrCat("seed ", options_.seed, " step ", step_, ": ", what));
}

const simulation::Subject& Simulated() {
  static const simulation::Subject& subject = *[] {
    auto* const all = new simulation::Subject{
        .program = "slipway-dispatcher-sim",
        .purpose =
            "Runs random histories of the dispatcher, its agents and its people on a disk that "
            "fails, a network that loses and repeats, and clocks that jump, and holds each "
            "against I1 to I16.",
        .steps = 300,
        .run = [](const simulation::History& history) {
          Simulation simulation({.seed = history.seed,
                                 .steps = history.steps,
                                 .mutant = static_cast<Mutant>(history.mutant),
                                 .verbose = history.verbose});
          absl::Status status = simulation.Run();
          return simulation::Outcome{std::move(status), simulation.coverage(), simulation.digest()};
        }};
    for (int i = 0; i < kMutantCount; ++i) all->mutants.push_back(NameOf(static_cast<Mutant>(i)));
    return all;
  }();
  return subject;
}

}  // namespace slipway::dispatcher::simulator
