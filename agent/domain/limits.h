#pragma once

#include <cstddef>

#include "absl/time/time.h"

namespace slipway::agent {

// Of one message between runner and supervisor: holds a piece of a patch in base64.
inline constexpr size_t kFrameBytesMax = 512u << 10;
// Of one attempt: a runner that says more is broken or hostile.
inline constexpr size_t kFramesMax = 100'000;
// Bytes of a patch in one frame.
inline constexpr size_t kPatchPieceBytes = 256u << 10;
// A result must fit a gRPC message of 16 MiB.
inline constexpr size_t kPatchBytesMax = 14u << 20;
// A larger one goes by a call: beats of the session would wait for it.
inline constexpr size_t kReportBytesMax = 1u << 20;
// Of one attempt, kept in memory until the dispatcher has it.
inline constexpr size_t kLogBytesMax = 4u << 20;
// The contract's bound of one chunk.
inline constexpr size_t kLogChunkBytesMax = 64u << 10;
// Waiting for the session; older ones give way, since only the newest interests a person.
inline constexpr size_t kProgressMax = 64;
inline constexpr size_t kProgressDetailBytesMax = 200;
// What a person or the next attempt reads of a failure.
inline constexpr size_t kDetailBytesMax = 8u << 10;
inline constexpr size_t kSummaryBytesMax = 2u << 10;
// What is kept of a validator's output.
inline constexpr size_t kOutputTailBytesMax = 16u << 10;
// Of it the beginning, where compilers tell the cause, and what a line takes that tells of a gap.
inline constexpr size_t kOutputHeadBytes = 4u << 10;
inline constexpr size_t kLeftOutBytes = 64;
// Of one validator's output in the log of an attempt that still writes: later rounds are to fit.
inline constexpr size_t kCheckLogBytesMax = 64u << 10;
// What a change tells of one validator's output.
inline constexpr size_t kHintTailBytesMax = 2u << 10;
// How often a model is asked to repair its edit, when nothing is said and at most.
inline constexpr int kRepairRoundsDefault = 2;
inline constexpr int kRepairRoundsMax = 10;
// A snapshot's pack; it is spooled to disk.
inline constexpr size_t kSnapshotBytesMax = size_t{8} << 30;
// Of one reply of a model: a large binary change in base64.
inline constexpr size_t kReplyBytesMax = 32u << 20;

inline constexpr absl::Duration kValidatorTimeoutDefault = absl::Minutes(10);
inline constexpr absl::Duration kAttemptTimeoutDefault = absl::Minutes(30);
// After the attempt's own deadline: work that was paid for outlives a restart of the dispatcher.
inline constexpr absl::Duration kSubmitGrace = absl::Minutes(5);
// An agent that holds nothing does not outlive its dispatcher for long.
inline constexpr absl::Duration kIdleOfflineMax = absl::Seconds(60);

}  // namespace slipway::agent
