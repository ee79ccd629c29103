#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "services/dispatcher/domain/states.h"

namespace slipway::dispatcher {

// What can happen to a task.
enum class TaskCommand {
  kUnblock,
  kTake,
  kReport,
  kRequeue,
  kWait,
  kRelease,
  kValidate,
  kJudge,
  kMerge,
  kRebuild,
  kLand,
  kPause,
  kResume,
  kAsk,
  kRetry,
  kAccept,
  kSkip,
  kFail,
  kCancel,
  kRevive,
  kBlock,
  kRemove,
  kEscalate,
  kQuarantine,
};

// What can happen to an attempt.
enum class AttemptCommand {
  kTake,
  kReport,
  kAccept,
  kReject,
  kFail,
  kRevoke,
  kLose,
  kPause,
  kSalvage,
};

struct TaskTransition {
  TaskState from;
  TaskCommand command;
  const char* guard;  // When the core makes it; for people.
  TaskState to;
};

struct AttemptTransition {
  AttemptState from;
  AttemptCommand command;
  const char* guard;
  AttemptState to;
};

// Every transition there is; no other happens.
absl::Span<const TaskTransition> TaskTransitions();
absl::Span<const AttemptTransition> AttemptTransitions();

bool Allows(TaskState from, TaskCommand command, TaskState to);
bool Allows(AttemptState from, AttemptCommand command, AttemptState to);

// Whether any transition of `command` leaves `from`.
bool Allows(TaskState from, TaskCommand command);

absl::string_view Name(TaskCommand command);
absl::string_view Name(AttemptCommand command);

// What a person can do with a task in `state`: "retry, cancel"; "nothing" at the end.
std::string PossibleOperations(TaskState state);

// Both tables in Markdown, as the README shows them.
std::string TransitionsAsMarkdown();

}  // namespace slipway::dispatcher
