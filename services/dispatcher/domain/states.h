#pragma once

#include "absl/strings/string_view.h"

namespace slipway::dispatcher {

// Where a task stands; stored as numbers, so values are never changed.
enum class TaskState {
  kBlocked = 1,
  kReady = 2,
  kRunning = 3,
  kInspecting = 4,
  kValidating = 5,
  kJudging = 6,
  kMerging = 7,
  kMerged = 8,
  kRetryWait = 9,
  kPaused = 10,
  kNeedsHuman = 11,
  kFailed = 12,
  kCancelled = 13,
  kSkipped = 14,
};
inline constexpr int kTaskStates = 14;

enum class AttemptState {
  kOffered = 1,
  kActive = 2,
  kReported = 3,
  kAccepted = 4,
  kRejected = 5,
  kFailed = 6,
  kRevoked = 7,
  kLost = 8,
  kSalvaged = 9,
  kPaused = 10,
};
inline constexpr int kAttemptStates = 10;

enum class RunState {
  kRunning = 1,
  kIntegrating = 2,
  kSucceeded = 3,
  kFailed = 4,
  kCancelled = 5,
};

enum class GrantKind { kWork = 1, kValidate = 2 };

enum class Decision { kNone = 0, kRetry = 1, kSkip = 2, kFail = 3, kEdit = 4, kAccept = 5 };

// The names that events and people see: "RETRY_WAIT".
absl::string_view Name(TaskState state);
absl::string_view Name(AttemptState state);
absl::string_view Name(RunState state);
absl::string_view Name(GrantKind kind);
absl::string_view Name(Decision decision);

// True when nothing happens any more by itself. A person may still revive all but MERGED.
bool IsEnd(TaskState state);
bool IsEnd(RunState state);

// True while the attempt holds an agent.
bool IsLive(AttemptState state);

}  // namespace slipway::dispatcher
