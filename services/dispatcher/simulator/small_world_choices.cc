// What can happen next, and what must hold: the rest of SmallWorld.
#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/dispatcher/simulator/small_world.h"
#include "services/dispatcher/simulator/small_world_services.h"

namespace slipway::dispatcher::simulator {
namespace {

using absl::StrCat;

constexpr absl::Duration kTimeStep = absl::Seconds(10);
constexpr int kCalmRounds = 200;
constexpr int kSweepTicks = 700;  // More than lie between two sweeps of keys.

}  // namespace

std::vector<std::string> SmallWorld::Choices() {
  std::vector<std::string> labels;
  for (const Choice& choice : ChoicesNow()) labels.push_back(choice.label);
  return labels;
}

void SmallWorld::Choose(size_t index) {
  ChoicesNow().at(index).act();
  Check();
}

std::vector<SmallWorld::Choice> SmallWorld::ChoicesNow() {
  std::vector<Choice> choices;
  for (size_t i = 0; i < in_flight_.size(); ++i) AddMessageChoices(i, choices);
  for (Agent& agent : agents_) AddAgentChoices(agent, choices);
  if (ticks_left_ > 0) {
    choices.push_back({"ten seconds pass", [this] {
                         --ticks_left_;
                         clock_.Advance(kTimeStep);
                         RunQueues();
                       }});
  }
  if (crashes_left_ > 0) {
    choices.push_back({"the dispatcher is killed", [this] {
                         --crashes_left_;
                         Kill();
                       }});
  }
  return choices;
}

void SmallWorld::AddMessageChoices(size_t index, std::vector<Choice>& choices) {
  const Message& message = in_flight_[index];
  for (size_t i = 0; i < index; ++i) {
    // Streams keep their order; of equal calls one is enough.
    const bool earlier = message.stream >= 0 ? in_flight_[i].stream == message.stream
                                             : in_flight_[i].label == message.label;
    if (earlier) return;
  }
  const auto add = [&](absl::string_view how, Fate fate, int* budget) {
    if (budget != nullptr && *budget == 0) return;
    choices.push_back({StrCat(how, ": ", message.label), [this, index, fate, budget] {
                         if (budget != nullptr) --*budget;
                         Arrive(index, fate);
                       }});
  };
  add("arrives", Fate::kArrives, nullptr);
  const bool towards_agent = message.stream >= 0 && message.stream % 2 == 1;
  if (!towards_agent && message.is_open) {
    add("arrives, and killed before the commit", Fate::kArrivesThenKill, &crashes_left_);
  }
  if (message.stream < 0 && message.is_open) {
    add("is lost", Fate::kLost, &faults_left_);
    add("is carried out and told to have failed", Fate::kToldFailed, &faults_left_);
  }
  if (message.judges) add("finds gaps", Fate::kGaps, &gaps_left_);
}

void SmallWorld::AddAgentChoices(Agent& agent, std::vector<Choice>& choices) {
  if (agent.held.has_value() && !agent.submitting) {
    choices.push_back(
        {StrCat(agent.id, " hands in"), [this, &agent] { Submit(agent, *agent.held); }});
  }
  if (agent.late.has_value() && !agent.submitting) {
    choices.push_back({StrCat(agent.id, " hands in late"), [this, &agent] {
                         Submit(agent, *std::exchange(agent.late, std::nullopt));
                       }});
  }
  const bool talks = std::any_of(in_flight_.begin(), in_flight_.end(), [&](const Message& message) {
    return message.stream / 2 == agent.number && message.stream >= 0;
  });
  if (agent.held.has_value() && !talks) {
    choices.push_back({StrCat(agent.id, " beats"), [this, &agent] { SendBeat(agent); }});
  }
  if (faults_left_ == 0) return;
  if (talks) {
    choices.push_back({StrCat("the connection of ", agent.id, " breaks"), [this, &agent] {
                         --faults_left_;
                         Disconnect(agent, /*tell=*/true);
                         RunQueues();
                       }});
  }
  if (agent.held.has_value()) {
    choices.push_back({StrCat(agent.id, " starts anew"), [this, &agent] {
                         --faults_left_;
                         agent.held.reset();
                         ++agent.boot;
                         Disconnect(agent, /*tell=*/true);
                         RunQueues();
                       }});
  }
}

void SmallWorld::Check() {
  for (; walked_ < store_.events().size(); ++walked_) walk_->Add(store_.events()[walked_]);
  if (!report_.holds()) Breach(report_.FirstBreach());
  for (const auto& [key, receipt] : receipts_) {
    const auto attempt = store_.attempts().find(key);
    const bool stored = attempt != store_.attempts().end() && attempt->second.has_result;
    if (receipt == Receipt::kAccepted && !stored) {
      Breach(StrCat("I10: the result of ", key.Name(), " was accepted and is not stored"));
    }
  }
  for (const Agent& agent : agents_) {
    if (agent.held.has_value() && store_.attempts().count(*agent.held) == 0) {
      Breach(StrCat("I2: ", agent.held->Name(), " was offered and is not stored"));
    }
  }
  for (const auto& [task, landed] : services_->landings()) {
    if (landed.size() > 1) Breach(StrCat("I4: ", task.Name(), " landed ", landed.size(), " times"));
  }
  CheckTables();
}

void SmallWorld::CheckTables() {
  std::map<TaskKey, int> live;
  for (const auto& [key, attempt] : store_.attempts()) {
    if (IsLive(attempt.state)) {
      ++live[key.task];
      const Task& task = store_.tasks().at(key.task);
      if (task.epoch != key.epoch) Breach(StrCat("I2: ", key.Name(), " lives at another epoch"));
    } else if (!attempt.key_open && services_->open_keys().count(key) > 0) {
      Breach(StrCat("I9: the key of ", key.Name(), " is open and nobody knows"));
    }
  }
  for (const auto& [key, count] : live) {
    if (count > 1) Breach(StrCat("I2: ", count, " attempts hold ", key.Name()));
  }
  for (const auto& [key, task] : store_.tasks()) {
    if (task.is_integration() || task.state != TaskState::kMerged) continue;
    if (services_->landings().count(key) == 0) {
      Breach(StrCat("I4: ", key.Name(), " is called merged and is not on the branch"));
    }
  }
}

void SmallWorld::Complete() {
  faults_left_ = crashes_left_ = gaps_left_ = 0;
  const auto deliver = [this] {
    // What arrives may send again; a moment is over when nothing is on its way.
    for (int i = 0; i < kCalmRounds && !in_flight_.empty(); ++i) Arrive(0, Fate::kArrives);
  };
  const auto ended = [this] {
    return std::all_of(store_.runs().begin(), store_.runs().end(),
                       [](const auto& run) { return IsEnd(run.second.state); });
  };
  for (int round = 0; round < kCalmRounds && !ended(); ++round) {
    deliver();
    for (Agent& agent : agents_) {
      agent.late.reset();
      if (agent.held.has_value() && !agent.submitting) Submit(agent, *agent.held);
      SendBeat(agent);
    }
    deliver();
    clock_.Advance(kTimeStep);
    RunQueues();
    Check();
  }
  if (!ended()) return Breach("I1: without faults the run does not end");
  for (int i = 0; i < kSweepTicks && !KeysEnded(); ++i) {
    clock_.Advance(absl::Seconds(1));
    RunQueues();
    deliver();
  }
  Check();
  if (!KeysEnded()) Breach("I9: a key stays open after its run has ended");
}

// But those of grants that were never stored, which nobody was told.
bool SmallWorld::KeysEnded() const {
  return std::none_of(services_->open_keys().begin(), services_->open_keys().end(),
                      [this](const AttemptKey& key) { return store_.attempts().count(key) > 0; });
}

std::string SmallWorld::Describe() const {
  std::string text =
      StrCat("left ", faults_left_, " ", crashes_left_, " ", ticks_left_, " ", gaps_left_, "; ",
             services_->Describe(), "; ", dispatcher_->DescribeMemory());
  for (const auto& [key, task] : store_.tasks()) {
    absl::StrAppend(&text, "\n", key.id.str(), " ", Name(task.state), " ", task.epoch, " ",
                    task.reason, " ", task.progress.work_epoch, " ", task.progress.inspected, " ",
                    task.progress.candidate.value_or(Candidate()).name, " ",
                    task.progress.step_failures, " ", task.progress.judge_round);
    for (const auto& [name, count] : task.progress.retries)
      absl::StrAppend(&text, " ", name, count);
  }
  for (const auto& [key, attempt] : store_.attempts()) {
    absl::StrAppend(&text, "\n", key.task.id.str(), "/", key.epoch, " ", Name(attempt.state), " ",
                    attempt.agent, " ", attempt.has_result, attempt.key_open);
  }
  for (const Agent& agent : agents_) {
    absl::StrAppend(&text, "\n", agent.id, " ", agent.held.value_or(AttemptKey()).epoch, " ",
                    agent.late.value_or(AttemptKey()).epoch, " ", agent.submitting, agent.boot);
  }
  // Which of two calls was made first makes no difference; streams keep their order.
  std::vector<std::string> calls, streams;
  for (const Message& message : in_flight_) {
    (message.stream < 0 ? calls : streams).push_back(StrCat(message.stream, " ", message.label));
  }
  std::sort(calls.begin(), calls.end());
  std::stable_sort(streams.begin(), streams.end(), [](const std::string& a, const std::string& b) {
    return a.substr(0, a.find(' ')) < b.substr(0, b.find(' '));
  });
  return StrCat(text, "\n", absl::StrJoin(calls, "\n"), "\n", absl::StrJoin(streams, "\n"));
}

}  // namespace slipway::dispatcher::simulator
