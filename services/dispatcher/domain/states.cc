#include "services/dispatcher/domain/states.h"

namespace slipway::dispatcher {

absl::string_view Name(TaskState state) {
  switch (state) {
    case TaskState::kBlocked:
      return "BLOCKED";
    case TaskState::kReady:
      return "READY";
    case TaskState::kRunning:
      return "RUNNING";
    case TaskState::kInspecting:
      return "INSPECTING";
    case TaskState::kValidating:
      return "VALIDATING";
    case TaskState::kJudging:
      return "JUDGING";
    case TaskState::kMerging:
      return "MERGING";
    case TaskState::kMerged:
      return "MERGED";
    case TaskState::kRetryWait:
      return "RETRY_WAIT";
    case TaskState::kPaused:
      return "PAUSED";
    case TaskState::kNeedsHuman:
      return "NEEDS_HUMAN";
    case TaskState::kFailed:
      return "FAILED";
    case TaskState::kCancelled:
      return "CANCELLED";
    case TaskState::kSkipped:
      return "SKIPPED";
  }
  return "";
}

absl::string_view Name(AttemptState state) {
  switch (state) {
    case AttemptState::kOffered:
      return "OFFERED";
    case AttemptState::kActive:
      return "ACTIVE";
    case AttemptState::kReported:
      return "REPORTED";
    case AttemptState::kAccepted:
      return "ACCEPTED";
    case AttemptState::kRejected:
      return "REJECTED";
    case AttemptState::kFailed:
      return "FAILED";
    case AttemptState::kRevoked:
      return "REVOKED";
    case AttemptState::kLost:
      return "LOST";
    case AttemptState::kSalvaged:
      return "SALVAGED";
    case AttemptState::kPaused:
      return "PAUSED";
  }
  return "";
}

absl::string_view Name(RunState state) {
  switch (state) {
    case RunState::kRunning:
      return "RUNNING";
    case RunState::kIntegrating:
      return "INTEGRATING";
    case RunState::kSucceeded:
      return "SUCCEEDED";
    case RunState::kFailed:
      return "FAILED";
    case RunState::kCancelled:
      return "CANCELLED";
  }
  return "";
}

absl::string_view Name(GrantKind kind) { return kind == GrantKind::kWork ? "WORK" : "VALIDATE"; }

absl::string_view Name(Decision decision) {
  switch (decision) {
    case Decision::kNone:
      return "";
    case Decision::kRetry:
      return "RETRY";
    case Decision::kSkip:
      return "SKIP";
    case Decision::kFail:
      return "FAIL";
    case Decision::kEdit:
      return "EDIT";
    case Decision::kAccept:
      return "ACCEPT";
  }
  return "";
}

bool IsEnd(TaskState state) {
  return state == TaskState::kMerged || state == TaskState::kFailed ||
         state == TaskState::kCancelled || state == TaskState::kSkipped;
}

bool IsEnd(RunState state) {
  return state != RunState::kRunning && state != RunState::kIntegrating;
}

bool IsLive(AttemptState state) {
  return state == AttemptState::kOffered || state == AttemptState::kActive;
}

}  // namespace slipway::dispatcher
