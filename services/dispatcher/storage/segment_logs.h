#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "services/dispatcher/domain/attempt_logs.h"
#include "services/dispatcher/storage/attempt_log.h"

namespace slipway::dispatcher {

// The logs of attempts in append-only segments, below {directory}/{plan}/{task}/{epoch}/, bounded
// for each attempt, in total, and in time.
class SegmentLogs final : public AttemptLogs {
 public:
  // Makes `directory`. `clock` decides what is old, by when a file was last written.
  static absl::StatusOr<std::unique_ptr<SegmentLogs>> Open(const std::string& directory,
                                                           const LogLimits& limits,
                                                           base::Clock& clock);

  absl::Status Append(const AttemptKey& attempt, int64_t offset, absl::string_view data) override;
  absl::StatusOr<LogPiece> Read(const AttemptKey& attempt, int64_t offset,
                                size_t size_max) override;
  int64_t Size(const AttemptKey& attempt) override;

  // Looks at every log: closes segments that nobody writes to any more, drops logs that are older
  // than they are kept, and the oldest ones while all together are too large.
  void Sweep();

 private:
  struct Cached {
    std::unique_ptr<AttemptLog> log;
    int64_t last_use = 0;
  };
  struct Found;

  SegmentLogs(std::string directory, const LogLimits& limits, base::Clock& clock)
      : directory_(std::move(directory)), limits_(limits), clock_(clock) {}

  absl::StatusOr<AttemptLog*> Find(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SweepOne(Found& found);
  bool DropOne(const std::string& path, LogLoss loss);

  const std::string directory_;
  const LogLimits limits_;
  base::Clock& clock_;
  base::Mutex mutex_;
  std::map<std::string, Cached> cache_ ABSL_GUARDED_BY(mutex_);  // By directory.
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t total_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // As the last sweep found, and since.
  bool swept_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace slipway::dispatcher
