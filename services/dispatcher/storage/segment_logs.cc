#include "services/dispatcher/storage/segment_logs.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

namespace slipway::dispatcher {
namespace {

metrics::Gauge log_disk_bytes({.name = "slipway_dispatcher_log_disk_bytes",
                               .description = "Bytes of attempts' logs on disk."});

// More than agents at work and readers together; a log that is not among them is opened again.
constexpr size_t kOpenLogsMax = 256;

// An attempt that printed nothing for so long has ended, or what it prints next is a new segment.
constexpr absl::Duration kQuietTail = absl::Minutes(10);

// Where a sweep stops to make room, so that the next bytes do not ask for the next one.
constexpr double kRoom = 0.9;

namespace fs = std::filesystem;

// Names were checked to be made of [a-z0-9-] between slashes.
std::string PathOf(const std::string& directory, const AttemptKey& attempt) {
  return absl::StrCat(directory, "/", attempt.task.plan.str(), "/", attempt.task.id.str(), "/",
                      attempt.epoch);
}

// Of the log that a file belongs to. Before there were segments a log was one file.
fs::path LogOf(const fs::path& file) {
  const bool is_segment = file.stem().native().size() >= 20;
  return is_segment ? file.parent_path() : fs::path(file).replace_extension();
}

}  // namespace

// What a sweep sees of one log.
struct SegmentLogs::Found {
  std::string path;
  absl::Time last_write = absl::InfinitePast();
  int64_t bytes = 0;
  bool has_tail = false;
  bool has_bytes = false;
};

absl::StatusOr<std::unique_ptr<SegmentLogs>> SegmentLogs::Open(const std::string& directory,
                                                               const LogLimits& limits,
                                                               base::Clock& clock) {
  RETURN_IF_ERROR(base::MakeDirectories(directory));
  return std::unique_ptr<SegmentLogs>(new SegmentLogs(directory, limits, clock));
}

absl::StatusOr<AttemptLog*> SegmentLogs::Find(const std::string& path) {
  if (const auto cached = cache_.find(path); cached != cache_.end()) {
    cached->second.last_use = ++uses_;
    return cached->second.log.get();
  }
  ASSIGN_OR_RETURN(std::unique_ptr<AttemptLog> log, AttemptLog::Open(path, limits_));
  if (cache_.size() >= kOpenLogsMax) {
    auto oldest = cache_.end();
    for (auto at = cache_.begin(); at != cache_.end(); ++at) {
      if (at->second.log->has_unstored()) continue;  // Nobody else knows of that.
      if (oldest == cache_.end() || at->second.last_use < oldest->second.last_use) oldest = at;
    }
    if (oldest != cache_.end()) cache_.erase(oldest);
  }
  AttemptLog* const found = log.get();
  cache_[path] = {.log = std::move(log), .last_use = ++uses_};
  return found;
}

absl::Status SegmentLogs::Append(const AttemptKey& attempt, int64_t offset,
                                 absl::string_view data) {
  bool sweep = false;
  {
    base::MutexLock lock(mutex_);
    ASSIGN_OR_RETURN(AttemptLog* const log, Find(PathOf(directory_, attempt)));
    const int64_t before = log->disk_bytes();
    RETURN_IF_ERROR(log->Append(offset, data));
    total_bytes_ += log->disk_bytes() - before;
    sweep = swept_ && total_bytes_ > limits_.total_bytes_max;
  }
  if (sweep) Sweep();
  return absl::OkStatus();
}

absl::StatusOr<LogPiece> SegmentLogs::Read(const AttemptKey& attempt, int64_t offset,
                                           size_t size_max) {
  base::MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(AttemptLog* const log, Find(PathOf(directory_, attempt)));
  return log->Read(offset, size_max);
}

int64_t SegmentLogs::Size(const AttemptKey& attempt) {
  base::MutexLock lock(mutex_);
  const absl::StatusOr<AttemptLog*> log = Find(PathOf(directory_, attempt));
  return log.ok() ? (*log)->size() : 0;
}

void SegmentLogs::Sweep() {
  std::map<std::string, Found> logs;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory_, error), end; !error && at != end;
       at.increment(error)) {
    struct stat info;
    if (lstat(at->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    Found& found = logs[LogOf(at->path())];
    found.path = LogOf(at->path());
    found.last_write = std::max(found.last_write, absl::TimeFromTimespec(info.st_mtim));
    found.bytes += info.st_size;
    found.has_tail = found.has_tail || at->path().extension() == ".log";
    found.has_bytes = found.has_bytes || info.st_size > 0;
  }
  std::vector<Found> oldest_first;
  int64_t total = 0;
  for (auto& [path, found] : logs) {
    SweepOne(found);
    total += found.bytes;
    oldest_first.push_back(std::move(found));
  }
  std::sort(oldest_first.begin(), oldest_first.end(),
            [](const Found& a, const Found& b) { return a.last_write < b.last_write; });
  const bool is_full = total > limits_.total_bytes_max;
  const auto target = static_cast<int64_t>(static_cast<double>(limits_.total_bytes_max) * kRoom);
  for (const Found& found : oldest_first) {
    if (!is_full || total <= target) break;
    if (found.has_bytes && DropOne(found.path, LogLoss::kTotalLimit)) total -= found.bytes;
  }
  base::MutexLock lock(mutex_);
  total_bytes_ = total;
  swept_ = true;
  log_disk_bytes.Set(static_cast<double>(total));
}

void SegmentLogs::SweepOne(Found& found) {
  const absl::Duration age = clock_.Now() - found.last_write;
  if (found.has_bytes && age > limits_.retention && DropOne(found.path, LogLoss::kExpired)) {
    found.bytes = 0;
    found.has_bytes = false;
    return;
  }
  if (!found.has_tail || age < kQuietTail) return;
  base::MutexLock lock(mutex_);
  const absl::StatusOr<AttemptLog*> log = Find(found.path);
  if (!log.ok() || !(*log)->CloseTail().ok()) return;
  found.bytes = (*log)->disk_bytes();
}

bool SegmentLogs::DropOne(const std::string& path, LogLoss loss) {
  base::MutexLock lock(mutex_);
  const absl::StatusOr<AttemptLog*> log = Find(path);
  const absl::Status dropped = log.ok() ? (*log)->Drop(loss) : log.status();
  if (!dropped.ok()) {
    log::Warning("a log cannot be dropped", {{"path", path}, {"error", dropped.ToString()}});
    return false;
  }
  log::Info("a log was dropped", {{"path", path}, {"reason", std::string(Name(loss))}});
  return true;
}

}  // namespace slipway::dispatcher
