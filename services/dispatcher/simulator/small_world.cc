#include "services/dispatcher/simulator/small_world.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/dispatcher/simulator/small_world_services.h"

namespace slipway::dispatcher::simulator {
namespace {

using absl::StrCat;

constexpr char kPlan[] = "projects/p/plans/2026-11-21-small";
constexpr char kHost[] = "hosts/outside";
constexpr absl::Duration kThirdOfLease = absl::Seconds(10);

Settings SettingsFor(const SmallWorld::Options& options) {
  return {.lease_timeout = 3 * kThirdOfLease, .hosts = {{.name = kHost, .slots = options.agents}}};
}

class CountedIds final : public base::IdGenerator {
 public:
  std::string NewId(absl::string_view prefix) override { return StrCat(prefix, "-", ++last_); }
  std::string NewSecret(absl::string_view prefix) override { return NewId(prefix); }

 private:
  int64_t last_ = 0;
};

}  // namespace

// The dispatcher's end of an agent's stream.
class SmallWorld::Link final : public AgentSession {
 public:
  Link(SmallWorld& world, size_t agent) : world_(world), agent_(agent) {}

  void Send(AgentOrder order) override {
    Agent& agent = world_.agents_[agent_];
    if (agent.link.get() != this) return;
    const auto* const offer = std::get_if<GrantOffer>(&order);
    const auto* const welcome = std::get_if<Welcome>(&order);
    const std::string label =
        offer != nullptr
            ? StrCat("offer ", offer->attempt.epoch, " of ", offer->attempt.task.id.str())
        : welcome != nullptr ? StrCat("welcome with ", welcome->verdicts.size(), " verdicts")
                             : "answer to a beat";
    world_.in_flight_.push_back({.label = StrCat(label, " to ", agent.id),
                                 .stream = agent.number * 2 + 1,
                                 .arrive = [&world = world_, &agent, order = std::move(order)](
                                               Fate) { world.HandleOrder(agent, order); }});
  }

  void End(absl::Status) override {
    Agent& agent = world_.agents_[agent_];
    if (agent.link.get() == this) world_.Disconnect(agent, /*tell=*/false);
  }

 private:
  SmallWorld& world_;
  const size_t agent_;
};

SmallWorld::SmallWorld(const Options& options)
    : options_(options),
      services_(std::make_unique<Services>(*this)),
      ids_(std::make_unique<CountedIds>()),
      faults_left_(options.faults),
      crashes_left_(options.crashes),
      ticks_left_(options.ticks),
      gaps_left_(options.gaps) {
  HistoryWalk::Lookups lookups;
  lookups.spec = [this](const TaskKey& key) -> const TaskSpec* {
    const auto found = store_.tasks().find(key);
    return found == store_.tasks().end() ? nullptr : &found->second.spec;
  };
  lookups.spec_holds_at = [](const std::string&, int64_t) { return true; };
  lookups.parallel_max = [](const std::string&) { return 0; };
  lookups.rules = [rules = RulesOf(SettingsFor(options))](int64_t) { return &rules; };
  walk_ = std::make_unique<HistoryWalk>(std::move(lookups), /*compacted=*/false, report_);
  for (int i = 0; i < options.agents; ++i) {
    agents_.push_back({.id = StrCat("agent-", i), .number = i});
  }
  Start();
  // Both agents are welcomed, and the plan is stored: everything else is chosen.
  for (Agent& agent : agents_) Dial(agent);
  while (!in_flight_.empty()) Arrive(0, Fate::kArrives);
  PlanSpec plan{
      .plan = kPlan, .title = "Small", .version = 1, .branch = "b", .base_commit = "base"};
  for (int i = 0; i < options.tasks; ++i) {
    TaskSpec task{.id = StrCat("t", i), .title = "T", .intent = "code", .role = "builder"};
    if (i > 0) task.depends_on = {StrCat("t", i - 1)};
    plan.tasks.push_back(std::move(task));
  }
  dispatcher_->SubmitPlan(std::move(plan), base::Reply<Run>([](const absl::StatusOr<Run>&) {}));
  RunQueues();
  Check();
}

SmallWorld::~SmallWorld() {
  in_flight_.clear();
  store_.Crash();
}

void SmallWorld::Start() {
  if (options_.mutant == Mutant::kEpochSetBack) {
    for (auto& [key, task] : store_.mutable_tasks()) {
      if (!IsEnd(task.state) && task.state == TaskState::kReady && task.epoch > 0) --task.epoch;
    }
  }
  dispatcher_ =
      std::make_unique<Dispatcher>(Dispatcher::Collaborators{.store = store_,
                                                             .reviewer = *services_,
                                                             .models = *services_,
                                                             .fleet = *services_,
                                                             .clock = clock_,
                                                             .ids = *ids_,
                                                             .random = [] { return 0.5; },
                                                             .settings = SettingsFor(options_),
                                                             .own_thread = false});
  const absl::StatusOr<std::string> started = dispatcher_->Start();
  if (!started.ok()) Breach(started.status().ToString());
  RunQueues();
}

void SmallWorld::Kill() {
  store_.Crash();
  dispatcher_.reset();
  // Its streams and the answers to its calls are gone; the calls may still be carried out.
  std::vector<Message> orphans;
  for (Message& message : in_flight_) {
    if (!message.orphan) continue;
    orphans.push_back({.label = StrCat("orphan: ", message.label),
                       .arrive = [act = message.orphan](Fate) { act(); }});
  }
  in_flight_ = std::move(orphans);
  for (Agent& agent : agents_) {
    agent.link.reset();
    agent.submitting = false;
  }
  Start();
  for (Agent& agent : agents_) Dial(agent);
}

void SmallWorld::RunQueues() {
  bool ran = true;
  while (ran) {
    ran = dispatcher_->RunQueued();
    ran = store_.RunQueued() || ran;
  }
}

void SmallWorld::Arrive(size_t index, Fate fate) {
  Message message = std::move(in_flight_[index]);
  in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(index));
  message.arrive(fate);
  if (fate == Fate::kArrivesThenKill) {
    dispatcher_->RunQueued();
    return Kill();
  }
  RunQueues();
}

void SmallWorld::Dial(Agent& agent) {
  agent.link = std::make_shared<Link>(*this, static_cast<size_t>(agent.number));
  AgentHello hello{.agent = agent.id, .host = kHost, .boot_nonce = agent.boot};
  if (agent.held.has_value()) hello.held = {*agent.held};
  FromAgent(agent, StrCat("hello of ", agent.id, " with ", hello.held.size()),
            [this, link = agent.link, hello] { dispatcher_->OnHello(link, hello, false); });
}

void SmallWorld::Disconnect(Agent& agent, bool tell) {
  std::erase_if(in_flight_, [&](const Message& message) {
    return message.stream >= 0 && message.stream / 2 == agent.number;
  });
  if (tell && agent.link != nullptr) dispatcher_->OnSessionEnded(agent.link);
  agent.link.reset();
  Dial(agent);
}

void SmallWorld::FromAgent(Agent& agent, std::string label, std::function<void()> arrive) {
  in_flight_.push_back({.label = std::move(label),
                        .stream = agent.number * 2,
                        .is_open = true,
                        .arrive = [arrive = std::move(arrive)](Fate) { arrive(); }});
}

void SmallWorld::HandleOrder(Agent& agent, const AgentOrder& order) {
  if (const auto* offer = std::get_if<GrantOffer>(&order)) {
    const bool takes = !agent.held.has_value() || agent.held == offer->attempt;
    if (takes) agent.held = offer->attempt;
    return FromAgent(agent, StrCat(takes ? "takes " : "refuses ", offer->attempt.Name()),
                     [this, link = agent.link, key = offer->attempt, takes] {
                       dispatcher_->OnGrantAnswer(link, key, takes, takes ? "" : "busy");
                     });
  }
  if (const auto* welcome = std::get_if<Welcome>(&order)) {
    for (const GrantVerdict& verdict : welcome->verdicts) Obey(agent, verdict);
  } else if (const auto* answer = std::get_if<BeatAnswer>(&order)) {
    for (const GrantVerdict& verdict : answer->verdicts) Obey(agent, verdict);
  }
}

void SmallWorld::Obey(Agent& agent, const GrantVerdict& verdict) {
  if (verdict.keep || agent.held != verdict.attempt) return;
  if (!agent.submitting) agent.late = agent.held;
  agent.held.reset();
  SendBeat(agent);
}

void SmallWorld::SendBeat(Agent& agent) {
  AgentBeat beat{.sequence = ++agent.beats};
  if (agent.held.has_value()) beat.held = {*agent.held};
  FromAgent(agent, StrCat("beat of ", agent.id, " with ", beat.held.size()),
            [this, link = agent.link, beat] { dispatcher_->OnBeat(link, beat); });
}

void SmallWorld::Submit(Agent& agent, const AttemptKey& key) {
  agent.submitting = true;
  in_flight_.push_back({.label = StrCat("result of ", key.Name(), " by ", agent.id),
                        .is_open = true,
                        .arrive = [this, &agent, key](Fate fate) {
                          if (fate == Fate::kLost) {
                            agent.submitting = false;
                            return;
                          }
                          AttemptKey named = key;
                          if (options_.mutant == Mutant::kNoEpochCheck) {
                            named.epoch = store_.tasks().at(key.task).epoch;
                          }
                          const auto answer = [this, &agent, key,
                                               told = fate != Fate::kToldFailed](Receipt receipt) {
                            agent.submitting = false;
                            if (!told) return;
                            const auto first = receipts_.emplace(key, receipt).first->second;
                            if (first != receipt)
                              Breach(StrCat(key.Name(), " got two different receipts"));
                            if (agent.held == key) {
                              agent.held.reset();
                              SendBeat(agent);
                            }
                          };
                          const bool early = options_.mutant == Mutant::kReplyBeforeCommit;
                          if (early) answer(Receipt::kAccepted);
                          dispatcher_->SubmitResult(
                              {.host = kHost}, named, ChangeResult{.patch = "patch"},
                              base::Reply<Receipt>([answer, early](auto receipt) {
                                if (receipt.ok() && !early) answer(*receipt);
                              }));
                        }});
}

void SmallWorld::Breach(const std::string& what) {
  if (breach_.empty()) breach_ = what;
}

}  // namespace slipway::dispatcher::simulator
