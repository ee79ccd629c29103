#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/dispatcher/domain/keys.h"

namespace slipway::dispatcher {

// Why bytes of a log are not there; stored as numbers, so values are never changed.
enum class LogLoss {
  kNone = 0,
  kNotReceived = 1,   // The agent sent what follows, this never came.
  kNotStored = 2,     // The disk was full, or failed.
  kDamaged = 3,       // A crash tore it, or the disk gave back something else.
  kAttemptLimit = 4,  // The middle of a log that grew beyond its limit.
  kTotalLimit = 5,    // All logs together grew beyond theirs.
  kExpired = 6,       // Older than logs are kept.
};
inline constexpr int kLogLossMax = 6;

// "NOT_RECEIVED"; "" for kNone.
absl::string_view Name(LogLoss loss);

// A stretch of a log: bytes, or how many of them are lost and why.
struct LogPiece {
  std::string data;
  int64_t next_offset = 0;
  int64_t lost_bytes = 0;
  LogLoss loss = LogLoss::kNone;
};

// "[slipway: LOG_EXPIRED: 120 bytes of this log are lost]": what a reader finds in their place.
std::string LossMarker(LogLoss loss, int64_t lost_bytes);

// What attempts print, by offset. Thread-safe; blocks on disk.
class AttemptLogs {
 public:
  virtual ~AttemptLogs() = default;

  // Appends what of `data`, which begins at `offset`, is not there yet: a repeat changes nothing.
  // What lies between the end and `offset` is lost, and so is what cannot be stored: that is told
  // to readers and is no error. OUT_OF_RANGE (OFFSET_INVALID) for offsets that no log has.
  virtual absl::Status Append(const AttemptKey& attempt, int64_t offset,
                              absl::string_view data) = 0;

  // Up to `size_max` bytes from `offset`, or a loss; empty at the end. OFFSET_INVALID beyond it.
  virtual absl::StatusOr<LogPiece> Read(const AttemptKey& attempt, int64_t offset,
                                        size_t size_max) = 0;

  // The offset after the last byte, stored or lost; 0 when there is no log.
  virtual int64_t Size(const AttemptKey& attempt) = 0;
};

}  // namespace slipway::dispatcher
