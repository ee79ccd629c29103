#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace slipway::dispatcher {

// Changes of a plan that are taken to its branch in one call: the rest wait for its answer.
inline constexpr size_t kReviewedTogetherMax = 32;
// Changes of a plan that the reviewer is told of: those behind wait anyway.
inline constexpr size_t kMergeQueueMax = 200;
// A change that waits in the queue is asked about again when another one of its plan has come
// further, if it is among the first, and after this in any case.
inline constexpr size_t kQueueWokenMax = 32;
inline constexpr absl::Duration kQueuePollInterval = absl::Seconds(5);

// A plan: what a person can still oversee, and what one transaction inserts in well under a second.
inline constexpr size_t kTasksMax = 10'000;
inline constexpr size_t kTaskTextBytesMax = 64 << 10;  // One description.
inline constexpr size_t kTaskListMax = 1'000;          // Paths, acceptance, dependencies: each.

// Diagnoses at once, and how often one is tried again.
inline constexpr int kDiagnosesMax = 4;
inline constexpr int kDiagnosisTriesMax = 5;

// A person's guidance, and the name of whoever acts.
inline constexpr size_t kGuidanceBytesMax = 16 << 10;

// One line for a person, in rows and events: keeps events far below their limit.
inline constexpr size_t kDetailBytesMax = 1'000;

// Feedback of one attempt, and how many pieces a task keeps: the oldest beyond it are dropped, as a
// prompt has an end.
inline constexpr size_t kFeedbackBytesMax = 16 << 10;
inline constexpr size_t kFeedbackMax = 20;

// A change that is shown to the next attempt, and one that is returned whole in one message.
inline constexpr size_t kHandoffShownBytesMax = 12 << 10;
inline constexpr size_t kHandoffPatchBytesMax = 2 << 20;

// A result: the largest patch that the reviewer would look at, with room.
inline constexpr size_t kResultBytesMax = 64 << 20;

// Commands that wait for the core: at 10,000 a second and more this is half a second.
inline constexpr size_t kQueueMax = 8'192;

// An agent that does not answer a grant is not there.
inline constexpr absl::Duration kOfferTimeout = absl::Seconds(10);

// After a restart agents get this on top of a whole lease to find the dispatcher again.
inline constexpr absl::Duration kReattachGrace = absl::Seconds(30);

// A child that has not said hello by then did not start.
inline constexpr absl::Duration kStartTimeout = absl::Seconds(30);

// A container takes longer, and its engine may have others to start first.
inline constexpr absl::Duration kContainerStartTimeout = absl::Seconds(60);

// A pod may have to wait for its image and for a node to be added.
inline constexpr absl::Duration kPodStartTimeout = absl::Minutes(5);

// A container that waited so long for work, beyond the warm ones of its host, is let go: longer
// than the pauses between the tasks of a plan.
inline constexpr absl::Duration kIdleTimeout = absl::Minutes(2);

// Retries by class before a person is asked; agent retries are set by policy.
inline constexpr int kConflictRetriesMax = 3;
inline constexpr int kInfrastructureRetriesMax = 8;
inline constexpr int kProviderRetriesMax = 5;
inline constexpr int kStallRetriesMax = 2;

// The same failure so often in a row is not tried again: nothing new would be said to the agent.
inline constexpr int kSameFailuresMax = 2;

// A failure that so many tasks of a plan have in common is not theirs: the run pauses.
inline constexpr int kPatternTasks = 3;

// Agents that died in a row of the same task, and the hosts they died on, until it is not given to
// another; and deaths that are kept to tell a task's from a host's.
inline constexpr int kPoisonDeathsMax = 3;
inline constexpr int kPoisonHostsMax = 2;
inline constexpr size_t kRecentDeathsMax = 1'000;

// After an agent without observed activity was pointed out, until it is stopped.
inline constexpr absl::Duration kStallGrace = absl::Seconds(60);

// A step of the review that fails for other reasons than a service that is away.
inline constexpr int kStepFailuresMax = 5;

// Backoff is doubled up to it.
inline constexpr absl::Duration kBackoffMax = absl::Minutes(5);
inline constexpr absl::Duration kStepBackoffInitial = absl::Milliseconds(200);
inline constexpr absl::Duration kStepBackoffMax = absl::Seconds(10);

// A task that waits for money looks again by itself this often.
inline constexpr absl::Duration kBudgetRecheck = absl::Seconds(60);
inline constexpr absl::Duration kRateLimitDefault = absl::Seconds(30);

// How often deadlines are looked at: leases and offers are seconds.
inline constexpr absl::Duration kTickInterval = absl::Milliseconds(100);

// Rounds in which an agent may repair what its local checks refuse.
inline constexpr int kRepairRoundsMax = 2;

// Validators together, on top of their own timeouts: snapshot and sandbox.
inline constexpr absl::Duration kValidateOverhead = absl::Minutes(2);
inline constexpr absl::Duration kValidatorTimeoutDefault = absl::Minutes(10);

// Keys die by themselves a little after the attempt they belong to.
inline constexpr absl::Duration kKeyLifetimeExtra = absl::Minutes(5);
inline constexpr absl::Duration kAttemptTimeoutMax = absl::Hours(23);

// How long a host is said to want agents that it does not need any more: others start and end them,
// for whom the pause between two tasks is no reason to.
inline constexpr absl::Duration kWantedHold = absl::Minutes(1);

// A cluster ends a pod when it is so old, whatever it does: nothing that was forgotten runs
// forever. A warm agent is replaced before its age could cut off the longest attempt.
inline constexpr absl::Duration kContainerLifetimeMax = absl::Hours(36);
inline constexpr absl::Duration kIdleAgeMax = absl::Hours(12);

// Pages.
inline constexpr int kPageSizeDefault = 100;
inline constexpr int kPageSizeMax = 1'000;
inline constexpr int kTaskPageSizeDefault = 1'000;
inline constexpr int kTaskPageSizeMax = 10'000;

}  // namespace slipway::dispatcher
