#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/dispatcher/domain/run.h"
#include "services/dispatcher/domain/task.h"
#include "services/dispatcher/simulator/world.h"

namespace slipway::dispatcher::simulator {

// What people and other services ask of the dispatcher, drawn from the seed; and what they were
// told is done, which must stay done.
class People final {
 public:
  explicit People(World& world);

  // Asks for this and that.
  void Tick();

  // Wants everything to come to its end: nothing stays paused, every question is answered.
  // `impatient`: also what waits for a provider looks again now.
  void Finish(bool impatient);

  // Breaches what was acknowledged and is not stored.
  void CheckPromises(TaskStore& store);

 private:
  struct Submission {
    PlanSpec spec;
    bool acknowledged = false;
    absl::Duration next_try;
  };

  PlanSpec AnyPlan(int number);
  void Submit(Submission& submission);
  void AnswerQuestions();
  void Meddle();
  void Amend(const std::string& plan);
  TaskKey AnyTask();

  World& world_;
  std::vector<Submission> submissions_;
  std::map<std::string, Decision> answered_;  // By checkpoint.
  std::set<std::string> paused_;
  absl::Duration next_question_;
};

}  // namespace slipway::dispatcher::simulator
