#include "services/dispatcher/simulator/sim_agent.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace slipway::dispatcher::simulator {

// The dispatcher's end of one connection: orders arrive in order, after a delay.
class SimAgent::Link final : public AgentSession {
 public:
  Link(World& world, std::weak_ptr<SimAgent> agent, int64_t connection)
      : world_(world), agent_(std::move(agent)), connection_(connection) {}

  void Send(AgentOrder order) override {
    const auto* const told = std::get_if<ResultReceipt>(&order);
    if (told != nullptr && told->receipt.ok()) world_.NoteReceipt(told->attempt, *told->receipt);
    Later([agent = agent_, connection = connection_, order = std::move(order)] {
      if (const auto to = agent.lock()) to->OnOrder(connection, order);
    });
  }
  void End(absl::Status status) override {
    Later([agent = agent_, connection = connection_, status = std::move(status)] {
      if (const auto to = agent.lock()) to->OnEnd(connection, status);
    });
  }

 private:
  void Later(std::function<void()> arrive) {
    if (world_.nobody_hears) return;
    const std::optional<FailpointFault> fault = world_.Pass(Boundary::kOrdered);
    if (fault == FailpointFault::kError) return world_.Count("messages lost");
    const absl::Duration late =
        fault == FailpointFault::kDelay ? kFailpointDelay : absl::ZeroDuration();
    last_ = std::max(last_, world_.clock.true_elapsed() + world_.AnyDelay() + late);
    if (fault == FailpointFault::kToldFailed) world_.At(last_, arrive);
    world_.At(last_, std::move(arrive));
  }

  World& world_;
  const std::weak_ptr<SimAgent> agent_;
  const int64_t connection_;
  absl::Duration last_;
};

std::optional<AttemptKey> SimAgent::working_on() const {
  const absl::Duration now = world_.clock.true_elapsed();
  if (dead_ || !held_.has_value() || held_->fenced || held_->result.has_value()) {
    return std::nullopt;
  }
  const bool may = now < held_->lease_end || world_.mutant == Mutant::kAgentNeverFences;
  if (now < paused_until_ || !may) return std::nullopt;
  return held_->key;
}

void SimAgent::OnOrder(int64_t connection, AgentOrder order) {
  if (dead_ || connection != connection_ || IsCut()) return;
  inbox_.emplace_back(connection, std::move(order));
}

void SimAgent::OnEnd(int64_t connection, absl::Status) {
  if (!dead_ && connection == connection_) LoseConnection();
}

void SimAgent::LoseConnection() {
  if (link_ == nullptr) return;
  // What the dispatcher hears of it comes after what was said before.
  Tell([](Dispatcher& dispatcher, const std::shared_ptr<AgentSession>& link) {
    dispatcher.OnSessionEnded(link);
  });
  link_.reset();
  welcomed_ = false;
  inbox_.clear();
  beats_.clear();
  dial_time_ = world_.clock.true_elapsed() + absl::Milliseconds(world_.random.Between(100, 3'000));
}

void SimAgent::Reboot() {
  LoseConnection();
  held_.reset();
  ++options_.boot_nonce;
}

void SimAgent::Tick() {
  const absl::Duration now = world_.clock.true_elapsed();
  const absl::Duration passed = now - std::exchange(last_tick_, now);
  if (dead_) return;
  if (now < paused_until_) {
    was_paused_ = true;
    return;
  }
  if (std::exchange(was_paused_, false)) {
    world_.Count("agents continued");
    // It goes on where it was stopped, before it looks at the time.
    if (held_.has_value() && held_->works && !held_->fenced && world_.Chance(60)) {
      world_.Count("zombies that hand in");
      if (!held_->result.has_value()) held_->result = MakeResult();
      Submit();
    }
  }
  if (link_ == nullptr && now >= dial_time_) Dial();
  while (!inbox_.empty() && link_ != nullptr) {
    const AgentOrder order = std::move(inbox_.front().second);
    inbox_.pop_front();
    Handle(order);
  }
  if (held_.has_value()) Work(passed);
  if (link_ != nullptr && welcomed_ && now >= next_beat_) Beat();
  // A dispatcher that answers nothing for so long is dialled anew.
  if (link_ != nullptr && now - std::max(confirmed_, hello_sent_) > absl::Seconds(20)) {
    LoseConnection();
  }
}

void SimAgent::Tell(std::function<void(Dispatcher&, const std::shared_ptr<AgentSession>&)> say) {
  const int64_t incarnation = world_.incarnation;
  const std::optional<FailpointFault> fault = world_.Pass(Boundary::kTold);
  const absl::Duration late =
      fault == FailpointFault::kDelay ? kFailpointDelay : absl::ZeroDuration();
  last_told_ = std::max(last_told_, world_.clock.true_elapsed() + world_.AnyDelay() + late);
  if (IsCut()) return world_.Count("messages of agents cut off");
  if (fault == FailpointFault::kError) return world_.Count("messages lost");
  const auto arrive = [this, self = shared_from_this(), link = link_, incarnation,
                       say = std::move(say)] {
    if (world_.dispatcher != nullptr && world_.incarnation == incarnation) {
      say(*world_.dispatcher, link);
    }
  };
  if (fault == FailpointFault::kToldFailed) world_.At(last_told_, arrive);
  world_.At(last_told_, arrive);
}

void SimAgent::Dial() {
  const absl::Duration now = world_.clock.true_elapsed();
  if (world_.dispatcher == nullptr || IsCut()) {
    dial_time_ = now + absl::Milliseconds(world_.random.Between(200, 2'000));
    return;
  }
  link_ = std::make_shared<Link>(world_, weak_from_this(), ++connection_);
  welcomed_ = false;
  hello_sent_ = now;
  AgentHello hello{.agent = options_.id, .host = options_.host, .boot_nonce = options_.boot_nonce};
  if (held_.has_value() && !held_->fenced) hello.held.push_back(held_->key);
  Tell([this, hello, process = options_.process](Dispatcher& dispatcher, const auto& link) {
    for (const AttemptKey& key : hello.held) {
      world_.NoteHeard(key);
    }
    dispatcher.OnHello(link, hello, process);
  });
  world_.Count(hello.held.empty() ? "hellos" : "hellos that hold");
}

void SimAgent::Beat() {
  const absl::Duration now = world_.clock.true_elapsed();
  const bool holds = held_.has_value() && !held_->fenced;
  next_beat_ = now + (holds ? beat_interval_ : idle_beat_interval_);
  AgentBeat beat{.sequence = ++sequence_};
  if (holds) {
    beat.held.push_back(held_->key);
    beat.activity = held_->activity;
  }
  const bool is_active =
      held_.has_value() && std::exchange(told_activity_, beat.activity) != beat.activity;
  beats_[beat.sequence] = now;
  const bool twice = world_.Chance(5);
  for (int i = 0; i < (twice ? 2 : 1); ++i) {
    Tell([this, beat, is_active](Dispatcher& dispatcher, const auto& link) {
      for (const AttemptKey& key : beat.held) world_.NoteHeard(key);
      for (const AttemptKey& key : beat.held) {
        if (is_active) world_.NoteActive(key);
      }
      dispatcher.OnBeat(link, beat);
    });
  }
}

void SimAgent::Handle(const AgentOrder& order) {
  if (const auto* welcome = std::get_if<Welcome>(&order)) {
    if (!welcomed_) {
      welcomed_ = true;
      confirmed_ = hello_sent_;
      next_beat_ = world_.clock.true_elapsed();
    }
    beat_interval_ = welcome->beat_interval;
    idle_beat_interval_ = welcome->idle_beat_interval;
    lease_timeout_ = welcome->lease_timeout;
    for (const GrantVerdict& verdict : welcome->verdicts) Obey(verdict, hello_sent_);
  } else if (const auto* answer = std::get_if<BeatAnswer>(&order)) {
    const auto beat = beats_.find(answer->sequence);
    if (beat == beats_.end()) return;
    const absl::Duration sent = beat->second;
    confirmed_ = std::max(confirmed_, sent);
    beats_.erase(beats_.begin(), std::next(beat));
    for (const GrantVerdict& verdict : answer->verdicts) Obey(verdict, sent);
  } else if (const auto* offer = std::get_if<GrantOffer>(&order)) {
    Take(*offer);
  } else if (const auto* receipt = std::get_if<ResultReceipt>(&order)) {
    if (receipt->receipt.ok()) OnReceipt(receipt->attempt);
  } else {
    LoseConnection();
  }
}

void SimAgent::Obey(const GrantVerdict& verdict, absl::Duration sent) {
  if (!held_.has_value() || held_->key != verdict.attempt) return;
  if (verdict.keep) {
    if (held_->lease_end <= world_.clock.true_elapsed()) world_.Count("agents thawed");
    held_->lease_end = std::max(held_->lease_end, sent + lease_timeout_ - Margin());
    return;
  }
  world_.Count("agents told to stop");
  held_->fenced = true;
  // Perhaps its work is worth to be looked at.
  const bool salvages = held_->works && world_.random.OneIn(3);
  if (salvages && !held_->result.has_value()) held_->result = MakeResult();
  if (!held_->result.has_value()) held_.reset();
}

void SimAgent::Take(const GrantOffer& offer) {
  world_.offered.insert(offer.attempt);
  next_beat_ = world_.clock.true_elapsed();
  const bool refused = held_.has_value() || world_.Chance(3);
  if (!refused) {
    held_ = Held{.key = offer.attempt,
                 .lease_end = confirmed_ + lease_timeout_ - Margin(),
                 .work_left = absl::Milliseconds(
                     world_.random.Between(500, world_.random.OneIn(8) ? 120'000 : 15'000))};
    if (const auto* work = std::get_if<WorkOffer>(&offer.work)) {
      held_->stalls = world_.Chance(4);
      held_->kills = work->spec.title == kPoisonTitle && world_.Chance(80);
    }
    told_activity_ = 0;
    if (const auto* validate = std::get_if<ValidateOffer>(&offer.work)) {
      held_->works = false;
      held_->evidence = {.tree = validate->tree, .validator_digest = validate->validator_digest};
      for (const Validator& validator : validate->validators) {
        held_->evidence.outcomes.push_back({.validator = validator.name});
      }
    }
  }
  if (refused) world_.Count("grants refused by agents");
  const bool same = held_.has_value() && held_->key == offer.attempt;
  Tell([this, key = offer.attempt, accepted = !refused || same](Dispatcher& dispatcher,
                                                                const auto& link) {
    world_.NoteHeard(key);
    dispatcher.OnGrantAnswer(link, key, accepted, accepted ? "" : "busy");
  });
}

void SimAgent::Work(absl::Duration passed) {
  const absl::Duration now = world_.clock.true_elapsed();
  if (!held_->result.has_value()) {
    if (!working_on().has_value()) return world_.Count("moments frozen");
    if (held_->kills) {
      world_.Count("agents that died of their task");
      if (!options_.process) return Reboot();
      Die();
      if (world_.dispatcher != nullptr) world_.dispatcher->OnAgentExited(options_.id, "killed");
      return;
    }
    if (held_->stalls) return world_.Count("moments stalled");
    ++held_->activity;
    held_->work_left -= passed;
    if (held_->work_left > absl::ZeroDuration()) return;
    held_->result = MakeResult();
    held_->next_submit = now;
  }
  if (now < held_->next_submit) return;
  if (held_->fenced && held_->submits >= 3) {
    held_.reset();
    return;
  }
  Submit();
}

AttemptResult SimAgent::MakeResult() {
  if (!held_->works) {
    for (ValidatorOutcome& outcome : held_->evidence.outcomes) {
      outcome.exit_code = world_.Chance(12) ? 1 : 0;
    }
    if (world_.Chance(4))
      return FailureResult{FailureClass::kInfrastructure, "SANDBOX", "no sandbox"};
    return held_->evidence;
  }
  if (world_.Chance(5)) return FailureResult{FailureClass::kAgent, "NO_CHANGE", "nothing"};
  if (world_.Chance(3)) return FailureResult{FailureClass::kProvider, "PROVIDER", "down"};
  if (world_.Chance(3)) return StopResult{StopReason::kBudget, "no money", std::nullopt};
  if (world_.Chance(3)) return StopResult{StopReason::kRateLimit, "later", absl::Seconds(20)};
  return ChangeResult{.patch = absl::StrCat("patch of ", held_->key.Name()),
                      .tree = "tree",
                      .summary = held_->key.Name()};
}

// First on its session, if it has one, and then by calls.
void SimAgent::Submit() {
  ++held_->submits;
  held_->next_submit = world_.clock.true_elapsed() + absl::Seconds(3);
  if (IsCut()) return;
  const AgentIdentity identity{.host = options_.host, .agent = options_.process ? options_.id : ""};
  // Mutants of results are mutants of the call.
  const bool by_call =
      world_.mutant == Mutant::kReplyBeforeCommit || world_.mutant == Mutant::kNoEpochCheck;
  if (link_ != nullptr && welcomed_ && held_->submits == 1 && !by_call) {
    world_.Count("results on sessions");
    const AgentResult result{
        .attempt = held_->key, .result = *held_->result, .ready = !held_->fenced};
    return Tell([identity, result](Dispatcher& dispatcher, const auto& link) {
      dispatcher.OnResult(link, identity, result);
    });
  }
  world_.Send(
      [this, self = shared_from_this(), key = held_->key, result = *held_->result, identity] {
        if (world_.dispatcher == nullptr) return;
        AttemptKey named = key;
        if (world_.mutant == Mutant::kNoEpochCheck) named.epoch = world_.newest_epoch[key.task];
        const auto answer = [this, self, key](Receipt receipt) {
          world_.NoteReceipt(key, receipt);
          world_.Send([this, self, key] { OnReceipt(key); });
        };
        if (world_.mutant == Mutant::kReplyBeforeCommit) answer(Receipt::kAccepted);
        const bool answered = world_.mutant == Mutant::kReplyBeforeCommit;
        world_.dispatcher->SubmitResult(identity, named, result,
                                        base::Reply<Receipt>([answer, answered](auto receipt) {
                                          if (receipt.ok() && !answered) answer(*receipt);
                                        }));
      });
}

void SimAgent::OnReceipt(const AttemptKey& key) {
  if (dead_ || !held_.has_value() || held_->key != key) return;
  held_.reset();
  ++served_;
}

}  // namespace slipway::dispatcher::simulator
