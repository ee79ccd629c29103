#include "services/dispatcher/domain/transition_table.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace slipway::dispatcher {
namespace {

using enum TaskState;
using C = TaskCommand;
using A = AttemptState;
using AC = AttemptCommand;

constexpr char kRetriesLeft[] = "fault that is not the agent's, its class has retries left";
constexpr char kNoWait[] = "agent or conflict retry left: at once, with feedback";
constexpr char kSpent[] = "retries of the class are spent, or only a person can decide";
constexpr char kByPerson[] = "a person, or the run is cancelled";
constexpr char kMoneyOrPerson[] = "budget, rate limit, or a person";
constexpr char kNewDependency[] = "an amendment of the plan makes it wait for more";
constexpr char kTakenOut[] = "an amendment of the plan takes it out before it began";
constexpr char kSame[] = "the same failure twice in a row, or over several tasks of the plan";
constexpr char kPoison[] = "its agents died of it on two hosts, or three in a row";
constexpr char kOutdated[] = "the branch moved or evidence is missing: new candidate";

constexpr TaskTransition kTaskTransitions[] = {
    {kBlocked, C::kUnblock, "every dependency is merged, or skipped by a person", kReady},
    {kBlocked, C::kSkip, "a dependency failed or was cancelled", kSkipped},
    {kBlocked, C::kRemove, kTakenOut, kSkipped},
    {kBlocked, C::kCancel, kByPerson, kCancelled},
    {kReady, C::kTake, "the agent took the current epoch", kRunning},
    {kReady, C::kWait, "the offer failed without the agent's fault", kRetryWait},
    {kReady, C::kPause, "a person", kPaused},
    {kReady, C::kAsk, kSpent, kNeedsHuman},
    {kReady, C::kQuarantine, kPoison, kNeedsHuman},
    {kReady, C::kBlock, kNewDependency, kBlocked},
    {kReady, C::kRemove, kTakenOut, kSkipped},
    {kReady, C::kCancel, kByPerson, kCancelled},
    {kRunning, C::kReport, "a change of the current epoch is on disk", kInspecting},
    {kRunning, C::kRequeue, "taken back without fault, or agent or stall retry left", kReady},
    {kRunning, C::kWait, kRetriesLeft, kRetryWait},
    {kRunning, C::kPause, kMoneyOrPerson, kPaused},
    {kRunning, C::kAsk, kSpent, kNeedsHuman},
    {kRunning, C::kEscalate, kSame, kNeedsHuman},
    {kRunning, C::kQuarantine, kPoison, kNeedsHuman},
    {kRunning, C::kCancel, kByPerson, kCancelled},
    {kInspecting, C::kValidate, "candidate with validators and no evidence", kValidating},
    {kInspecting, C::kJudge, "evidence exists or there is nothing to run", kJudging},
    {kInspecting, C::kMerge, "integration with nothing to run", kMerging},
    {kInspecting, C::kLand, "it landed before", kMerged},
    {kInspecting, C::kRequeue, kNoWait, kReady},
    {kInspecting, C::kPause, "a person", kPaused},
    {kInspecting, C::kAsk, kSpent, kNeedsHuman},
    {kInspecting, C::kEscalate, kSame, kNeedsHuman},
    {kInspecting, C::kCancel, kByPerson, kCancelled},
    {kValidating, C::kJudge, "every validator passed", kJudging},
    {kValidating, C::kMerge, "integration, every validator passed", kMerging},
    {kValidating, C::kRebuild, kOutdated, kInspecting},
    {kValidating, C::kRequeue, kNoWait, kReady},
    {kValidating, C::kPause, "a person", kPaused},
    {kValidating, C::kAsk, kSpent, kNeedsHuman},
    {kValidating, C::kEscalate, kSame, kNeedsHuman},
    {kValidating, C::kQuarantine, kPoison, kNeedsHuman},
    {kValidating, C::kCancel, kByPerson, kCancelled},
    {kJudging, C::kMerge, "verdict PASSED and no person must approve", kMerging},
    {kJudging, C::kRebuild, kOutdated, kInspecting},
    {kJudging, C::kRequeue, "gaps found, agent retry left: at once, with feedback", kReady},
    {kJudging, C::kPause, kMoneyOrPerson, kPaused},
    {kJudging, C::kAsk, kSpent, kNeedsHuman},
    {kJudging, C::kEscalate, kSame, kNeedsHuman},
    {kJudging, C::kCancel, kByPerson, kCancelled},
    {kMerging, C::kLand, "the branch moved to the candidate", kMerged},
    {kMerging, C::kRebuild, kOutdated, kInspecting},
    {kMerging, C::kJudge, "the verdict for the tree is missing", kJudging},
    {kMerging, C::kPause, "a person", kPaused},
    {kMerging, C::kAsk, kSpent, kNeedsHuman},
    {kMerging, C::kCancel, "the run is cancelled", kCancelled},
    {kRetryWait, C::kRelease, "its time has come, or a person", kReady},
    {kRetryWait, C::kPause, "a person", kPaused},
    {kRetryWait, C::kBlock, kNewDependency, kBlocked},
    {kRetryWait, C::kRemove, kTakenOut, kSkipped},
    {kRetryWait, C::kCancel, kByPerson, kCancelled},
    {kPaused, C::kResume, "the reason is gone; it had no change under review", kReady},
    {kPaused, C::kResume, "the reason is gone; it paused there", kInspecting},
    {kPaused, C::kResume, "the reason is gone; it paused there", kValidating},
    {kPaused, C::kResume, "the reason is gone; it paused there", kJudging},
    {kPaused, C::kResume, "the reason is gone; it paused there", kMerging},
    {kPaused, C::kBlock, "as from READY; it had no change under review", kBlocked},
    {kPaused, C::kRemove, "as from READY; it had no change under review", kSkipped},
    {kPaused, C::kCancel, kByPerson, kCancelled},
    {kNeedsHuman, C::kRetry, "a person; counters start anew", kReady},
    {kNeedsHuman, C::kRetry, "a person, integration", kInspecting},
    {kNeedsHuman, C::kAccept, "a person lets a quarantined patch through", kInspecting},
    {kNeedsHuman, C::kAccept, "a person lets a candidate through", kMerging},
    {kNeedsHuman, C::kSkip, "a person", kSkipped},
    {kNeedsHuman, C::kFail, "a person", kFailed},
    {kNeedsHuman, C::kRemove, kTakenOut, kSkipped},
    {kNeedsHuman, C::kCancel, kByPerson, kCancelled},
    {kFailed, C::kRevive, "a person, the run has not ended", kReady},
    {kFailed, C::kRevive, "a person, the run has not ended, dependencies open", kBlocked},
    {kCancelled, C::kRevive, "a person, the run has not ended", kReady},
    {kCancelled, C::kRevive, "a person, the run has not ended, dependencies open", kBlocked},
    {kSkipped, C::kRevive, "skipped for a dependency that a person revived", kBlocked},
};

constexpr AttemptTransition kAttemptTransitions[] = {
    {A::kOffered, AC::kTake, "the agent took it in time", A::kActive},
    {A::kOffered, AC::kRevoke, "refused, not answered, or fenced", A::kRevoked},
    {A::kActive, AC::kReport, "its result is on disk", A::kReported},
    {A::kActive, AC::kFail, "the agent said so, its deadline passed, or it did nothing",
     A::kFailed},
    {A::kActive, AC::kPause, "a limit or a person stopped it without fault", A::kPaused},
    {A::kActive, AC::kRevoke, "fenced by a person", A::kRevoked},
    {A::kActive, AC::kLose, "its lease ran out or its process ended", A::kLost},
    {A::kReported, AC::kAccept, "merged, or its evidence was recorded", A::kAccepted},
    {A::kReported, AC::kReject, "refused, conflicting, failing, or with gaps", A::kRejected},
    {A::kReported, AC::kRevoke, "its task was cancelled, skipped or failed", A::kRevoked},
    {A::kRevoked, AC::kSalvage, "its late result was kept", A::kSalvaged},
    {A::kLost, AC::kSalvage, "its late result was kept", A::kSalvaged},
    {A::kPaused, AC::kSalvage, "its late result was kept", A::kSalvaged},
    {A::kFailed, AC::kSalvage, "its late result was kept", A::kSalvaged},
};

}  // namespace

absl::Span<const TaskTransition> TaskTransitions() { return kTaskTransitions; }
absl::Span<const AttemptTransition> AttemptTransitions() { return kAttemptTransitions; }

bool Allows(TaskState from, TaskCommand command, TaskState to) {
  return std::any_of(std::begin(kTaskTransitions), std::end(kTaskTransitions),
                     [&](const TaskTransition& t) {
                       return t.from == from && t.command == command && t.to == to;
                     });
}

bool Allows(AttemptState from, AttemptCommand command, AttemptState to) {
  return std::any_of(std::begin(kAttemptTransitions), std::end(kAttemptTransitions),
                     [&](const AttemptTransition& t) {
                       return t.from == from && t.command == command && t.to == to;
                     });
}

bool Allows(TaskState from, TaskCommand command) {
  return std::any_of(
      std::begin(kTaskTransitions), std::end(kTaskTransitions),
      [&](const TaskTransition& t) { return t.from == from && t.command == command; });
}

absl::string_view Name(TaskCommand command) {
  constexpr const char* kNames[] = {
      "unblock", "take",    "report", "requeue", "wait",   "release", "validate", "judge",
      "merge",   "rebuild", "land",   "pause",   "resume", "ask",     "retry",    "accept",
      "skip",    "fail",    "cancel", "revive",  "block",  "remove",  "escalate", "quarantine"};
  return kNames[static_cast<int>(command)];
}

absl::string_view Name(AttemptCommand command) {
  constexpr const char* kNames[] = {"take",   "report", "accept", "reject", "fail",
                                    "revoke", "lose",   "pause",  "salvage"};
  return kNames[static_cast<int>(command)];
}

std::string PossibleOperations(TaskState state) {
  std::vector<absl::string_view> possible;
  if (Allows(state, C::kRetry) || state == kFailed || state == kCancelled || state == kRetryWait) {
    possible.push_back("retry");
  }
  if (state == kNeedsHuman) possible.push_back("resolve its checkpoint");
  if (state == kPaused) possible.push_back("resume");
  if (Allows(state, C::kCancel) && state != kMerging) possible.push_back("cancel");
  if (Allows(state, C::kPause)) possible.push_back("pause");
  return possible.empty() ? "nothing" : absl::StrJoin(possible, ", ");
}

std::string TransitionsAsMarkdown() {
  std::string text = "| task in | command | when | goes to |\n|---|---|---|---|\n";
  for (const TaskTransition& t : kTaskTransitions) {
    absl::StrAppend(&text, "| ", Name(t.from), " | ", Name(t.command), " | ", t.guard, " | ",
                    Name(t.to), " |\n");
  }
  absl::StrAppend(&text, "\n| attempt in | command | when | goes to |\n|---|---|---|---|\n");
  for (const AttemptTransition& t : kAttemptTransitions) {
    absl::StrAppend(&text, "| ", Name(t.from), " | ", Name(t.command), " | ", t.guard, " | ",
                    Name(t.to), " |\n");
  }
  return text;
}

}  // namespace slipway::dispatcher
