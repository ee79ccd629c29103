#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace slipway::reviewer {

// Text of one commit message.
inline constexpr size_t kSubjectBytesMax = 120;
inline constexpr size_t kBodyBytesMax = 8 << 10;

// Conflicting hunks of one path go to an agent as feedback.
inline constexpr size_t kConflictHunksBytesMax = 8 << 10;
inline constexpr size_t kConflictPathsMax = 50;

// What a critic reads: about 60,000 tokens.
inline constexpr size_t kPromptDiffBytesMax = 200 << 10;
inline constexpr size_t kPromptTextBytesMax = 16 << 10;
inline constexpr size_t kCriticReplyBytesMax = 256 << 10;
inline constexpr size_t kGapsMax = 20;
inline constexpr size_t kGapBytesMax = 2 << 10;
// Changes of one ReviewChanges: they are taken one after the other.
inline constexpr int kReviewedTogetherMax = 64;
inline constexpr size_t kSummaryBytesMax = 4 << 10;
inline constexpr size_t kFindingsMax = 10;
// Becomes what an agent is told, or the description of a task.
inline constexpr size_t kDiagnosisGuidanceBytesMax = 8 << 10;
// Feedback and attempts of one task that a diagnosis reads: more than the retries of any policy.
inline constexpr int kDiagnosisLinesMax = 200;
// Calls for one verdict of one role whose ids stay apart: each denied call needs a new one.
inline constexpr int kCriticTriesMax = 1'000;
inline constexpr size_t kCouncilRolesMax = 9;

// Of one validator's result, and of one message of them.
inline constexpr size_t kOutputTailBytesMax = 16 << 10;
inline constexpr size_t kOutputHeadBytes = 4 << 10;
inline constexpr size_t kFailuresMax = 100;
inline constexpr size_t kFailureBytesMax = 512;
inline constexpr size_t kFeedbackBytesMax = 24 << 10;

// Changes of one plan under review that a queue takes: far more than there are agents.
inline constexpr size_t kQueueMax = 1'000;
// Outcomes by which a queue measures itself: older ones weigh next to nothing.
inline constexpr int kOutcomesMax = 64;
// Failed runs on one tree that are looked at: more than reruns are allowed.
inline constexpr int kFailuresOfTreeMax = 20;
inline constexpr int kFlakyRerunsMax = 5;
// Refs of one plan's candidates that are deleted when it is integrated.
inline constexpr size_t kCandidateRefsMax = 100'000;
inline constexpr int kQueueWindowMax = 64;
// Conflicts of changes on bases that are remembered, and plans whose queues are shown.
inline constexpr size_t kConflictsKeptMax = 256;
inline constexpr size_t kQueuesShownMax = 200;

// Commits of a plan's branch that a rollback looks at: more than any plan has tasks.
inline constexpr size_t kBranchCommitsMax = 20'000;
inline constexpr size_t kRollbackReasonBytesMax = 2 << 10;

inline constexpr size_t kPathPatternsMax = 1'000;
inline constexpr size_t kValidatorsMax = 50;

// Files of one commit that ListFiles walks; larger repositories are read by path.
inline constexpr size_t kTreeFilesMax = 1'000'000;
inline constexpr int kFilesPageDefault = 1'000;
inline constexpr int kFilesPageMax = 10'000;
inline constexpr int64_t kFileBytesDefault = 1 << 20;
inline constexpr int64_t kFileBytesMax = 8 << 20;  // Fits a gRPC message.
inline constexpr int64_t kDiffBytesDefault = 1 << 20;
inline constexpr int64_t kDiffBytesMax = 8 << 20;
inline constexpr int kCommitsPageDefault = 100;
inline constexpr int kCommitsPageMax = 1'000;

// Commits of a plan's branch: far more than a plan has tasks.
inline constexpr size_t kPlanCommitsMax = 10'000;

// Attempts of one task that a review shows.
inline constexpr int kReviewAttemptsMax = 200;

inline constexpr size_t kSnapshotChunkBytesMax = 256 << 10;
// Snapshots of a receiver that are looked at for a base: those used last, so the nearest is there.
inline constexpr size_t kCachedCommitsMax = 16;
// Chunks between the thread that packs and a slow receiver.
inline constexpr size_t kSnapshotChunksWaitingMax = 8;

// Longest a critic may take for one reply.
inline constexpr absl::Duration kModelTimeout = absl::Minutes(10);

}  // namespace slipway::reviewer
