#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace slipway::planner {

// A spec is read whole by a model; 256 KiB is about 64,000 tokens.
inline constexpr size_t kSpecBytesMax = 256 << 10;
inline constexpr size_t kTitleBytesMax = 200;

// A model's reply: the largest output budget is about 128 KiB of text; four times that is abuse.
inline constexpr size_t kReplyBytesMax = 512 << 10;
// The reply's schema is four levels deep.
inline constexpr int kReplyDepthMax = 16;
// Values of all kinds: 500 tasks of fewer than 100 values each.
inline constexpr int kReplyValuesMax = 50'000;
// More than a person can review before approval.
inline constexpr int kReplyTasksMax = 500;

// Imported plans replay histories; the dispatcher takes them as one message of at most 16 MiB.
inline constexpr int kTasksMax = 10'000;
inline constexpr size_t kPlanBytesMax = 8 << 20;
inline constexpr size_t kDependenciesMax = 200;
inline constexpr size_t kRequirementsMax = 500;
// Lists of a task and notes of a plan: more is noise to an agent.
inline constexpr size_t kListMax = 200;
// A task's description travels to the agent in each attempt.
inline constexpr size_t kDescriptionBytesMax = 64 << 10;
inline constexpr size_t kLineBytesMax = 4 << 10;
inline constexpr size_t kPathBytesMax = 1 << 10;
inline constexpr int kPriorityMax = 9;
// One call of EditPlan; larger changes are an import.
inline constexpr int kEditsMax = 1'000;

// A policy is read by people; each validator runs on every candidate.
inline constexpr size_t kValidatorsMax = 50;
inline constexpr size_t kCommandWordsMax = 100;
inline constexpr size_t kCouncilRolesMax = 9;
inline constexpr int kRetriesMax = 20;
inline constexpr int kParallelMax = 1'000;

// What a prompt shows of the repository: a quarter of the context of common models.
inline constexpr int64_t kContextTokensMax = 24'000;
// Below this a context only names the top of the tree and is not worth a further call.
inline constexpr int64_t kContextTokensMin = 1'000;
// Files read for one prompt, and of how many the tree is known.
inline constexpr int kContextFilesMax = 40;
inline constexpr int kTreeFilesMax = 10'000;
inline constexpr int64_t kContextFileBytesMax = 64 << 10;

// What a repair prompt quotes of the refused reply: enough to correct, not enough to double the
// price of each round.
inline constexpr size_t kQuotedReplyBytesMax = 64 << 10;

// Changes told in one event; the versions themselves keep everything.
inline constexpr size_t kEventChangesMax = 100;

// Waits between tries while a budget, a gate or a service is in the way.
inline constexpr absl::Duration kBackoffFirst = absl::Seconds(1);
inline constexpr absl::Duration kBackoffMax = absl::Seconds(30);
// Errors that nobody can explain are not tried for ever.
inline constexpr int kUnexplainedTriesMax = 5;

inline constexpr int kRepairRoundsDefault = 3;
inline constexpr int kDraftsDefault = 4;
// A model that is wrong ten times stays wrong; a thread waits for each draft's call.
inline constexpr int kRepairRoundsMax = 10;
inline constexpr int kDraftThreadsMax = 64;
inline constexpr int kPageSizeDefault = 100;
inline constexpr int kPageSizeMax = 1'000;
// Plans in drafting, with those that wait: each may hold a call open for minutes.
inline constexpr int kDraftingMax = 1'000;
// Plans of one title on one day.
inline constexpr int kSameNameMax = 1'000;

}  // namespace slipway::planner
