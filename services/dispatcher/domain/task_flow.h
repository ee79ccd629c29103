#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/retry_policy.h"
#include "services/dispatcher/domain/settings.h"

namespace slipway::dispatcher {

// A failure, and what the next attempt is told of it.
struct Fault {
  RetryClass retry_class = RetryClass::kAgent;
  std::string reason;    // UPPER_SNAKE
  std::string detail;    // One line for a person.
  std::string feedback;  // For the next attempt; empty when there is nothing to learn.
  std::string died_on;   // The host on which the agent died of the task; empty when it did not.
};

// What follows for a task, its dependents and its run when something has happened to it. Used by
// the core's thread.
class TaskFlow final {
 public:
  // Called for an attempt that stops holding its agent.
  using OnReleased = std::function<void(Attempt&)>;

  TaskFlow(Board& board, const Settings& settings, base::Clock& clock, Randomness random)
      : board_(board), settings_(settings), clock_(clock), random_(std::move(random)) {}

  void set_on_released(OnReleased on_released) { on_released_ = std::move(on_released); }

  // The attempt at the task failed: another one, at once or later, or a question to a person.
  void Fail(Task& task, const Fault& fault);

  // Notes that an agent died of the task on `host`; asks a person, and returns true, when so many
  // did that it gets no other.
  bool NoteDeath(Task& task, const std::string& host);
  // That death was not of the task after all.
  void Exonerate(const TaskKey& key, const std::string& host);
  // An agent lived to tell what became of the task.
  void NoteSurvived(Task& task);

  // Ends the pauses of plans whose question about a failure of several tasks is answered.
  void EndAnsweredPatterns();

  // The same for an attempt that was to validate: the candidate stays.
  void FailValidation(Task& task, const Fault& fault);

  // Without fault: back to READY after the initial backoff (at once for a task that RUNs).
  void Requeue(Task& task, absl::string_view reason, absl::string_view detail);

  // Stops without fault; goes on at `resume_time`, or when asked.
  void Pause(Task& task, absl::string_view reason, absl::string_view detail,
             std::optional<absl::Time> resume_time);
  void Resume(Task& task);

  // Asks a person. `accept` adds the option to let the change through.
  void Ask(Task& task, absl::string_view reason, absl::string_view question, bool accept = false,
           TaskCommand command = TaskCommand::kAsk);

  // RETRY_WAIT is over.
  void Release(Task& task) { board_.Move(task, TaskCommand::kRelease, TaskState::kReady); }

  // Its change is on the plan's branch, which is at `tip` now: others may have landed with it.
  void Land(Task& task, const std::string& commit, const std::string& tip,
            const std::string& detail);

  // The plan's branch was taken back from one commit to another. Each commit is left but once, so
  // that it does not matter when this is told, or how often.
  void NoteReturn(const std::string& plan, const std::string& from, const std::string& to);

  // Ends a task by a person's will; what depends on it follows.
  void End(Task& task, TaskCommand command, TaskState to, absl::string_view detail);

  // Takes a task out of the plan that has not begun. Its run may end by that: see CheckRunEnd.
  void Remove(Task& task, absl::string_view detail);

  // What NEEDS_HUMAN starts anew; a change under review is rejected.
  void Restart(Task& task);

  // A task that ended goes on, with those that were skipped for it.
  void Revive(Task& task);

  // Takes the task from its agent, if it has one; a change under review stays there.
  void StopAgent(Task& task, AttemptCommand command, AttemptState to, absl::string_view reason);

  // Ends the newest attempt if it holds an agent or its change is under review.
  void Withdraw(Task& task, AttemptCommand command, AttemptState to, absl::string_view reason);

  // Ends a live attempt and lets its agent go.
  void EndAttempt(Attempt& attempt, AttemptCommand command, AttemptState to,
                  absl::string_view reason, absl::string_view detail = "");

  // The change under review was not good.
  void RejectChange(Task& task, absl::string_view reason, absl::string_view detail);

  // What an attempt that was ended early had done is told to the next one that begins.
  void HandOff(Task& task, const Attempt& attempt, const ChangeResult& change);

  void AddFeedback(Task& task, const std::string& feedback);

  // Forgets the change under review: the next attempt starts anew.
  static void ClearReview(Task& task);

  bool DependenciesSatisfied(const Task& task);

  // Goes on to the integration, or ends the run, when none of its tasks is left to do.
  void CheckRunEnd(Run& run);

 private:
  void NoteFailure(Task& task, const Fault& fault);
  bool AskForSameFailure(Task& task, const Fault& fault);
  bool AskForPattern(Task& task, const Fault& fault);
  bool IsPoison(const Task& task) const;
  static void ForgetFailures(Task& task);
  void UnblockDependents(const Task& task);
  void SkipDependents(const Task& task);
  void SetTip(Run& run, const std::string& tip);
  void StartIntegration(Run& run, int tasks);
  bool IsSatisfied(const TaskKey& key);

  Board& board_;
  const Settings& settings_;
  base::Clock& clock_;
  Randomness random_;
  OnReleased on_released_;
  // By plan: where a branch went from each commit that it was taken back from.
  std::map<std::string, std::map<std::string, std::string>> returns_;
};

// Why a task is SKIPPED that nobody skipped by name.
inline constexpr char kDependencyReason[] = "DEPENDENCY";
// Why a task is SKIPPED that an amendment took out of the plan.
inline constexpr char kRemovedReason[] = "REMOVED";
// Why a person is asked once for several tasks, and who paused their plan for it.
inline constexpr char kPatternReason[] = "FAILURE_PATTERN";
inline constexpr char kPatternActor[] = "failure pattern";

}  // namespace slipway::dispatcher
