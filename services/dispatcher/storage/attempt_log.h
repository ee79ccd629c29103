#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/file.h"
#include "services/dispatcher/domain/attempt_logs.h"
#include "services/dispatcher/storage/log_record.h"

namespace slipway::dispatcher {

struct LogLimits {
  int64_t segment_bytes = 1 << 20;       // A segment is closed and compressed at this size.
  int64_t attempt_bytes_max = 64 << 20;  // On disk: beyond it the middle is dropped.
  int64_t total_bytes_max = 10LL << 30;  // On disk: beyond it the oldest logs go.
  absl::Duration retention = absl::Hours(30 * 24);  // Since the last byte.
};

// The log of one attempt: a directory of segments, each of which follows the one before. The last
// one is open, {start}.log, and takes records; the others are {start}-{end}.z, compressed, or an
// empty {start}-{end}.{loss} where there was one. Not thread-safe.
class AttemptLog final {
 public:
  // Takes up what is in `directory`, which need not exist: cuts a torn tail, and finishes what a
  // crash left half done.
  static absl::StatusOr<std::unique_ptr<AttemptLog>> Open(std::string directory,
                                                          const LogLimits& limits);

  // See AttemptLogs. Losses that the disk does not take are kept in memory until it does.
  absl::Status Append(int64_t offset, absl::string_view data);
  absl::StatusOr<LogPiece> Read(int64_t offset, size_t size_max);
  int64_t size() const { return end_ + unstored_; }

  // Compresses the open segment, if there is one.
  absl::Status CloseTail();

  // Drops everything that is stored and leaves the mark of the loss.
  absl::Status Drop(LogLoss loss);

  int64_t disk_bytes() const;
  bool has_unstored() const { return unstored_ > 0; }
  bool is_dropped() const;

 private:
  struct Segment {
    int64_t start = 0;
    int64_t end = 0;
    int64_t disk_bytes = 0;
    LogLoss loss = LogLoss::kNone;  // Else the segment is gone.
  };

  AttemptLog(std::string directory, const LogLimits& limits)
      : directory_(std::move(directory)), limits_(limits) {}

  absl::Status List(std::vector<int64_t>& tails);
  absl::Status Settle();
  absl::Status TakeTail(int64_t start);
  absl::Status ImportOldFormat();
  absl::Status OpenTail();
  absl::Status EndTail();
  absl::Status CutTail();
  absl::Status Write(absl::string_view records);
  absl::Status WriteClosed(int64_t start, int64_t end, absl::string_view records);
  absl::Status ReplaceByLoss(size_t first, size_t last, LogLoss loss);
  void KeepWithinLimit();
  absl::StatusOr<LogPiece> ReadRecords(const std::vector<LogRecord>& records, int64_t offset,
                                       size_t size_max, const std::string* closed) const;
  std::string PathOf(const Segment& segment) const;
  std::string TailPath(int64_t start) const;

  const std::string directory_;
  const LogLimits limits_;
  std::vector<Segment> segments_;  // Closed or lost, without holes between them.
  int64_t end_ = 0;                // Of what the disk knows.
  int64_t unstored_ = 0;           // Lost after it.

  base::UniqueFd tail_;
  int64_t tail_start_ = 0;
  int64_t tail_bytes_ = 0;
  int64_t close_at_bytes_ = 0;
  bool needs_cut_ = false;  // A write broke off and what it left is still there.
  std::vector<LogRecord> tail_records_;

  // The closed segment that was read last: readers go on in it.
  int64_t cached_start_ = -1;
  std::string cached_;
  std::vector<LogRecord> cached_records_;
};

}  // namespace slipway::dispatcher
