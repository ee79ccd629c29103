#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "lib/events/subscription.h"
#include "services/dispatcher/domain/keys.h"

namespace slipway::dispatcher {

// The logs of attempts, one append-only file each. Thread-safe. Blocks on disk.
class LogFiles final {
 public:
  // Makes `directory`.
  static absl::StatusOr<std::unique_ptr<LogFiles>> Open(const std::string& directory);

  // Appends what of `data`, which begins at `offset`, is not there yet: a repeat changes nothing.
  // A gap is OUT_OF_RANGE (OFFSET_INVALID). A log is cut at kLogBytesMax.
  absl::Status Append(const AttemptKey& attempt, int64_t offset, absl::string_view data);

  // Up to `size_max` bytes from `offset`; empty at the end. OFFSET_INVALID beyond it.
  absl::StatusOr<std::string> Read(const AttemptKey& attempt, int64_t offset,
                                   size_t size_max) const;

  // 0 when there is no log.
  int64_t Size(const AttemptKey& attempt) const;

  // Calls `wake` after each append to any log; see events::Subscriptions.
  [[nodiscard]] events::Subscription OnAppend(events::Subscriptions::Wake wake) {
    return subscriptions_.Add(std::move(wake));
  }
  void WakeAll() const { subscriptions_.WakeAll(); }

 private:
  explicit LogFiles(std::string directory) : directory_(std::move(directory)) {}
  std::string PathOf(const AttemptKey& attempt) const;

  const std::string directory_;
  base::Mutex mutex_;  // One append at a time.
  events::Subscriptions subscriptions_;
};

// An agent that prints without end fills no disk.
inline constexpr int64_t kLogBytesMax = 64 << 20;

}  // namespace slipway::dispatcher
