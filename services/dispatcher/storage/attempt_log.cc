#include "services/dispatcher/storage/attempt_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/dispatcher/domain/errors.h"

namespace slipway::dispatcher {
namespace {

metrics::Counter log_lost_bytes({.name = "slipway_dispatcher_log_lost_bytes_total",
                                 .description = "Bytes of attempts' logs that were lost.",
                                 .labels = {"reason"}});
metrics::Counter log_stored_bytes({.name = "slipway_dispatcher_log_stored_bytes_total",
                                   .description = "Bytes of attempts' logs that were stored."});

// Far beyond what an attempt prints, and far below where sums overflow.
constexpr int64_t kOffsetMax = int64_t{1} << 56;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

void CountLoss(LogLoss loss, int64_t bytes) {
  log_lost_bytes.Increment({Name(loss)}, static_cast<uint64_t>(std::max<int64_t>(0, bytes)));
}

std::optional<LogLoss> LossNamed(absl::string_view name) {
  for (int loss = 1; loss <= kLogLossMax; ++loss) {
    if (Name(static_cast<LogLoss>(loss)) == name) return static_cast<LogLoss>(loss);
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  std::vector<std::string> names;
  if (directory == nullptr) {
    if (errno == ENOENT) return names;
    return base::ErrnoStatus(errno, path);
  }
  while (const dirent* const entry = readdir(directory.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

absl::Status Remove(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return base::ErrnoStatus(errno, path);
}

}  // namespace

std::string AttemptLog::TailPath(int64_t start) const {
  return absl::StrCat(directory_, "/", absl::StrFormat("%020d", start), ".log");
}

std::string AttemptLog::PathOf(const Segment& segment) const {
  return absl::StrCat(directory_, "/", absl::StrFormat("%020d-%020d", segment.start, segment.end),
                      ".", segment.loss == LogLoss::kNone ? "z" : Name(segment.loss));
}

absl::StatusOr<std::unique_ptr<AttemptLog>> AttemptLog::Open(std::string directory,
                                                             const LogLimits& limits) {
  std::unique_ptr<AttemptLog> log(new AttemptLog(std::move(directory), limits));
  RETURN_IF_ERROR(log->ImportOldFormat());
  std::vector<int64_t> tails;
  RETURN_IF_ERROR(log->List(tails));
  RETURN_IF_ERROR(log->Settle());
  std::sort(tails.begin(), tails.end());
  for (const int64_t start : tails) RETURN_IF_ERROR(log->TakeTail(start));
  return log;
}

// What came before was one file of plain bytes.
absl::Status AttemptLog::ImportOldFormat() {
  const std::string path = absl::StrCat(directory_, ".log");
  if (access(path.c_str(), F_OK) != 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path));
  RETURN_IF_ERROR(base::RemoveTree(directory_));
  RETURN_IF_ERROR(base::MakeDirectories(directory_));
  const auto step = static_cast<size_t>(limits_.segment_bytes);
  for (size_t start = 0; start < bytes.size(); start += step) {
    const absl::string_view data = absl::string_view(bytes).substr(start, step);
    const auto begin = static_cast<int64_t>(start);
    RETURN_IF_ERROR(WriteClosed(begin, begin + static_cast<int64_t>(data.size()),
                                EncodeLogRecord(begin, data)));
  }
  segments_.clear();
  return Remove(path);
}

absl::Status AttemptLog::List(std::vector<int64_t>& tails) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(directory_));
  for (const std::string& name : names) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(name, absl::MaxSplits('.', 1));
    const std::pair<absl::string_view, absl::string_view> range =
        absl::StrSplit(parts.first, absl::MaxSplits('-', 1));
    Segment segment;
    if (!absl::SimpleAtoi(range.first, &segment.start)) continue;
    if (parts.second == "log") {
      tails.push_back(segment.start);
      continue;
    }
    const std::optional<LogLoss> loss = LossNamed(parts.second);
    if (!absl::SimpleAtoi(range.second, &segment.end) || segment.end <= segment.start ||
        (parts.second != "z" && !loss.has_value())) {
      RETURN_IF_ERROR(Remove(absl::StrCat(directory_, "/", name)));  // Of a write that broke off.
      continue;
    }
    segment.loss = loss.value_or(LogLoss::kNone);
    struct stat info;
    if (stat(PathOf(segment).c_str(), &info) == 0) segment.disk_bytes = info.st_size;
    segments_.push_back(segment);
  }
  return absl::OkStatus();
}

// A mark of a loss stands before what it replaces is removed: the wider range counts.
absl::Status AttemptLog::Settle() {
  std::sort(segments_.begin(), segments_.end(), [](const Segment& a, const Segment& b) {
    return a.start != b.start ? a.start < b.start : a.end > b.end;
  });
  std::vector<Segment> settled;
  for (const Segment& segment : segments_) {
    if (segment.start < end_) {
      RETURN_IF_ERROR(Remove(PathOf(segment)));
      continue;
    }
    if (segment.start > end_) {
      settled.push_back({.start = end_, .end = segment.start, .loss = LogLoss::kDamaged});
    }
    settled.push_back(segment);
    end_ = segment.end;
  }
  segments_ = std::move(settled);
  return absl::OkStatus();
}

absl::Status AttemptLog::TakeTail(int64_t start) {
  const std::string path = TailPath(start);
  if (start < end_) return Remove(path);  // It was closed, or dropped.
  if (tail_.valid()) RETURN_IF_ERROR(CloseTail());
  if (start > end_) {
    segments_.push_back({.start = end_, .end = start, .loss = LogLoss::kDamaged});
  }
  ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path));
  LogScan scan = ScanLogRecords(bytes, start);
  end_ = tail_start_ = start;
  RETURN_IF_ERROR(OpenTail());
  tail_records_ = std::move(scan.records);
  tail_bytes_ = static_cast<int64_t>(scan.whole_bytes);
  if (!tail_records_.empty()) end_ = tail_records_.back().end;
  if (scan.whole_bytes == bytes.size()) return absl::OkStatus();
  log::Warning("the torn end of a log was cut",
               {{"path", path}, {"file_bytes", bytes.size() - scan.whole_bytes}});
  RETURN_IF_ERROR(CutTail());
  if (scan.torn_bytes == 0) return absl::OkStatus();
  CountLoss(LogLoss::kDamaged, scan.torn_bytes);
  const absl::Status told = Write(EncodeLossRecord(end_, scan.torn_bytes, LogLoss::kDamaged));
  if (!told.ok()) unstored_ += scan.torn_bytes;
  return absl::OkStatus();
}

absl::Status AttemptLog::OpenTail() {
  RETURN_IF_ERROR(base::MakeDirectories(directory_));
  const std::string path = TailPath(tail_start_);
  tail_ = base::UniqueFd(
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!tail_.valid()) return base::ErrnoStatus(errno, path);
  tail_bytes_ = 0;
  close_at_bytes_ = limits_.segment_bytes;
  tail_records_.clear();
  return absl::OkStatus();
}

absl::Status AttemptLog::CutTail() {
  needs_cut_ = ftruncate(tail_.get(), tail_bytes_) != 0;
  return needs_cut_ ? base::ErrnoStatus(errno, TailPath(tail_start_)) : absl::OkStatus();
}

// All of `records`, or nothing: what a full disk took of them is cut off again.
absl::Status AttemptLog::Write(absl::string_view records) {
  if (!tail_.valid()) {
    tail_start_ = end_;
    RETURN_IF_ERROR(OpenTail());
  }
  if (tail_bytes_ + static_cast<int64_t>(records.size()) >
      static_cast<int64_t>(kSegmentRawBytesMax)) {
    return absl::ResourceExhaustedError("the open segment cannot be closed");
  }
  if (needs_cut_) RETURN_IF_ERROR(CutTail());
  for (absl::string_view left = records; !left.empty();) {
    const ssize_t size = write(tail_.get(), left.data(), left.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      const absl::Status status = base::ErrnoStatus(errno, TailPath(tail_start_));
      CutTail().IgnoreError();  // Else before the next write.
      return status;
    }
    left.remove_prefix(static_cast<size_t>(size));
  }
  LogScan scan = ScanLogRecords(records, end_);
  for (LogRecord& record : scan.records) {
    record.position += static_cast<size_t>(tail_bytes_);
    tail_records_.push_back(record);
    end_ = record.end;
  }
  tail_bytes_ += static_cast<int64_t>(records.size());
  return absl::OkStatus();
}

absl::Status AttemptLog::Append(int64_t offset, absl::string_view data) {
  if (offset < 0 || offset > kOffsetMax) return OffsetInvalid(offset, size());
  const int64_t known = size();
  if (offset < known) data.remove_prefix(std::min<size_t>(data.size(), known - offset));
  if (data.empty()) return absl::OkStatus();
  const int64_t missing = std::max<int64_t>(0, offset - known);
  std::string records;
  int64_t end = end_;
  if (unstored_ > 0) {
    records = EncodeLossRecord(end, unstored_, LogLoss::kNotStored);
    end += unstored_;
  }
  if (missing > 0) {
    absl::StrAppend(&records, EncodeLossRecord(end, missing, LogLoss::kNotReceived));
    end += missing;
  }
  absl::StrAppend(&records, EncodeLogRecord(end, data));
  if (missing > 0) CountLoss(LogLoss::kNotReceived, missing);
  const auto bytes = static_cast<int64_t>(data.size());
  if (const absl::Status status = Write(records); !status.ok()) {
    if (unstored_ == 0) {
      log::Warning("a log cannot be stored: what is lost is counted",
                   {{"path", directory_}, {"error", status.ToString()}});
    }
    CountLoss(LogLoss::kNotStored, bytes);
    unstored_ += missing + bytes;
    return absl::OkStatus();
  }
  if (unstored_ > 0) {
    log::Info("a log is stored again", {{"path", directory_}, {"lost_bytes", unstored_}});
    unstored_ = 0;
  }
  log_stored_bytes.Increment(static_cast<uint64_t>(bytes));
  if (tail_bytes_ >= close_at_bytes_ && !CloseTail().ok()) {
    close_at_bytes_ = tail_bytes_ + limits_.segment_bytes;  // Tried again after as much.
  }
  KeepWithinLimit();
  return absl::OkStatus();
}

absl::Status AttemptLog::WriteClosed(int64_t start, int64_t end, absl::string_view records) {
  Segment segment{.start = start, .end = end};
  const std::string compressed = CompressSegment(records);
  RETURN_IF_ERROR(base::WriteFileAtomic(PathOf(segment), compressed));
  segment.disk_bytes = static_cast<int64_t>(compressed.size());
  segments_.push_back(segment);
  return absl::OkStatus();
}

absl::Status AttemptLog::CloseTail() {
  if (!tail_.valid()) return absl::OkStatus();
  const std::string path = TailPath(tail_start_);
  if (!tail_records_.empty()) {
    ASSIGN_OR_RETURN(const std::string records, base::ReadFile(path));
    RETURN_IF_ERROR(WriteClosed(
        tail_start_, end_, absl::string_view(records).substr(0, static_cast<size_t>(tail_bytes_))));
  }
  return EndTail();
}

absl::Status AttemptLog::EndTail() {
  tail_.Close();
  tail_records_.clear();
  tail_bytes_ = 0;
  needs_cut_ = false;
  return Remove(TailPath(tail_start_));
}

// The beginning of a log tells what was asked, its end what came of it: the middle goes.
void AttemptLog::KeepWithinLimit() {
  while (disk_bytes() > limits_.attempt_bytes_max) {
    const auto oldest =
        std::find_if(segments_.begin() + std::min<size_t>(1, segments_.size()), segments_.end(),
                     [](const Segment& segment) { return segment.loss == LogLoss::kNone; });
    if (oldest == segments_.end()) return;
    auto first = static_cast<size_t>(oldest - segments_.begin());
    const size_t last = first;
    if (segments_[first - 1].loss == LogLoss::kAttemptLimit) --first;
    CountLoss(LogLoss::kAttemptLimit, oldest->end - oldest->start);
    if (!ReplaceByLoss(first, last, LogLoss::kAttemptLimit).ok()) return;
  }
}

absl::Status AttemptLog::ReplaceByLoss(size_t first, size_t last, LogLoss loss) {
  const Segment mark{.start = segments_[first].start, .end = segments_[last].end, .loss = loss};
  const base::UniqueFd file(
      open(PathOf(mark).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return base::ErrnoStatus(errno, PathOf(mark));
  for (size_t i = first; i <= last; ++i) {
    const std::string path = PathOf(segments_[i]);
    if (path != PathOf(mark)) RETURN_IF_ERROR(Remove(path));
  }
  segments_.erase(segments_.begin() + static_cast<ptrdiff_t>(first),
                  segments_.begin() + static_cast<ptrdiff_t>(last) + 1);
  segments_.insert(segments_.begin() + static_cast<ptrdiff_t>(first), mark);
  cached_start_ = -1;
  return absl::OkStatus();
}

absl::Status AttemptLog::Drop(LogLoss loss) {
  // Not closed first: a disk that is full has no room for that.
  const bool had_tail = tail_.valid();
  if (!tail_records_.empty()) segments_.push_back({.start = tail_start_, .end = end_});
  if (segments_.empty() || (!had_tail && is_dropped())) return absl::OkStatus();
  for (const Segment& segment : segments_) {
    if (segment.loss == LogLoss::kNone) CountLoss(loss, segment.end - segment.start);
  }
  RETURN_IF_ERROR(ReplaceByLoss(0, segments_.size() - 1, loss));
  return had_tail ? EndTail() : absl::OkStatus();
}

bool AttemptLog::is_dropped() const {
  return !tail_.valid() && segments_.size() == 1 && segments_.front().loss != LogLoss::kNone;
}

int64_t AttemptLog::disk_bytes() const {
  int64_t bytes = tail_bytes_;
  for (const Segment& segment : segments_) bytes += segment.disk_bytes;
  return bytes;
}

absl::StatusOr<LogPiece> AttemptLog::Read(int64_t offset, size_t size_max) {
  if (offset < 0 || offset > size()) return OffsetInvalid(offset, size());
  if (offset == size()) return LogPiece{.next_offset = offset};
  if (offset >= end_) {
    return LogPiece{
        .next_offset = size(), .lost_bytes = size() - offset, .loss = LogLoss::kNotStored};
  }
  const auto found =
      std::partition_point(segments_.begin(), segments_.end(),
                           [&](const Segment& segment) { return segment.end <= offset; });
  if (found == segments_.end()) return ReadRecords(tail_records_, offset, size_max, nullptr);
  LogPiece lost{.next_offset = found->end,
                .lost_bytes = found->end - offset,
                .loss = found->loss == LogLoss::kNone ? LogLoss::kDamaged : found->loss};
  if (found->loss != LogLoss::kNone) return lost;
  if (cached_start_ != found->start) {
    cached_start_ = -1;
    const absl::StatusOr<std::string> compressed = base::ReadFile(PathOf(*found));
    absl::StatusOr<std::string> records =
        compressed.ok() ? DecompressSegment(*compressed) : compressed.status();
    if (!records.ok()) {
      log::Warning("a segment of a log cannot be read",
                   {{"path", PathOf(*found)}, {"error", records.status().ToString()}});
      return lost;
    }
    cached_ = *std::move(records);
    cached_records_ = ScanLogRecords(cached_, found->start).records;
    cached_start_ = found->start;
  }
  if (cached_records_.empty() || cached_records_.back().end <= offset) return lost;
  return ReadRecords(cached_records_, offset, size_max, &cached_);
}

absl::StatusOr<LogPiece> AttemptLog::ReadRecords(const std::vector<LogRecord>& records,
                                                 int64_t offset, size_t size_max,
                                                 const std::string* closed) const {
  auto record = std::partition_point(records.begin(), records.end(),
                                     [&](const LogRecord& r) { return r.end <= offset; });
  if (record == records.end()) return LogPiece{.next_offset = offset};
  if (record->loss != LogLoss::kNone) {
    return LogPiece{
        .next_offset = record->end, .lost_bytes = record->end - offset, .loss = record->loss};
  }
  base::UniqueFd file;
  if (closed == nullptr) {
    const std::string path = TailPath(tail_start_);
    file = base::UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.valid()) return base::ErrnoStatus(errno, path);
  }
  LogPiece piece{.next_offset = offset};
  for (; record != records.end() && record->loss == LogLoss::kNone && piece.data.size() < size_max;
       ++record) {
    const auto skipped = static_cast<size_t>(piece.next_offset - record->offset);
    const size_t wanted = std::min(size_max - piece.data.size(),
                                   static_cast<size_t>(record->end - piece.next_offset));
    if (closed != nullptr) {
      piece.data.append(*closed, record->position + skipped, wanted);
    } else {
      std::string bytes(wanted, '\0');
      const ssize_t size =
          pread(file.get(), bytes.data(), wanted, static_cast<off_t>(record->position + skipped));
      if (size != static_cast<ssize_t>(wanted)) {
        return base::ErrnoStatus(size < 0 ? errno : EIO, TailPath(tail_start_));
      }
      piece.data += bytes;
    }
    piece.next_offset += static_cast<int64_t>(wanted);
  }
  return piece;
}

}  // namespace slipway::dispatcher
