#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/dispatcher/domain/attempt_logs.h"

namespace slipway::dispatcher {

// One entry of a segment: bytes of a log, or a loss. Its place is [offset, end) in the log, and its
// bytes lie at `position` of the segment.
struct LogRecord {
  int64_t offset = 0;
  int64_t end = 0;
  LogLoss loss = LogLoss::kNone;
  size_t position = 0;
};

// A record as it is written: a header with checksums, then `data`.
std::string EncodeLogRecord(int64_t offset, absl::string_view data);
std::string EncodeLossRecord(int64_t offset, int64_t lost_bytes, LogLoss loss);

// What a segment holds up to where it ends or is torn.
struct LogScan {
  std::vector<LogRecord> records;
  size_t whole_bytes = 0;  // Up to the end of the last whole record.
  int64_t torn_bytes = 0;  // Of the log, in a record whose header is whole and whose bytes are not.
};

// Reads records that follow each other from `offset` on.
LogScan ScanLogRecords(absl::string_view bytes, int64_t offset);

// A closed segment: its records, compressed by zlib, after their size. DATA_LOSS when `compressed`
// is not one that was written.
std::string CompressSegment(absl::string_view records);
absl::StatusOr<std::string> DecompressSegment(absl::string_view compressed);

// Open segments are closed at their size plus a record, so none is larger.
inline constexpr size_t kSegmentRawBytesMax = 32u << 20;

}  // namespace slipway::dispatcher
