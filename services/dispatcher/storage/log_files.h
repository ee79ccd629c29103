#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "services/dispatcher/domain/attempt_logs.h"

namespace slipway::dispatcher {

// The logs of attempts, one append-only file each.
class LogFiles final : public AttemptLogs {
 public:
  // Makes `directory`.
  static absl::StatusOr<std::unique_ptr<LogFiles>> Open(const std::string& directory);

  absl::Status Append(const AttemptKey& attempt, int64_t offset, absl::string_view data) override;
  absl::StatusOr<std::string> Read(const AttemptKey& attempt, int64_t offset,
                                   size_t size_max) const override;
  int64_t Size(const AttemptKey& attempt) const override;

 private:
  explicit LogFiles(std::string directory) : directory_(std::move(directory)) {}
  std::string PathOf(const AttemptKey& attempt) const;

  const std::string directory_;
  base::Mutex mutex_;  // One append at a time.
};

// An agent that prints without end fills no disk.
inline constexpr int64_t kLogBytesMax = 64 << 20;

}  // namespace slipway::dispatcher
