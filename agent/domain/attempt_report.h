#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/domain/runner_message.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::agent {

// What an attempt has to tell while it runs: its log by offset, progress, phase and activity. The
// attempt writes; the session reads and says what has arrived. Thread-safe.
class AttemptReport final {
 public:
  struct LogPiece {
    int64_t offset = 0;
    std::string data;
  };

  // `changed` is called, outside the lock, when there is something to send; it must not block.
  AttemptReport(base::Clock& clock, std::function<void()> changed)
      : clock_(clock), changed_(std::move(changed)) {}

  // Keeps kLogBytesMax bytes; the rest is dropped, which the log's last line says.
  void Log(absl::string_view text);
  void Progress(ProgressNote note);
  void SetPhase(absl::string_view phase);
  void Active();

  std::string phase() const;
  int64_t activity() const;

  // The next piece of the log or progress note that was not sent yet.
  std::optional<LogPiece> TakeLog(size_t size_max);
  std::optional<ProgressNote> TakeProgress();
  // How far the log was sent, and how many notes were.
  int64_t sent() const;
  int64_t notes_sent() const;
  // The dispatcher has everything before `offset`, and the first `notes` notes.
  void Delivered(int64_t offset, int64_t notes);
  // The connection broke: what was sent and not delivered is sent again.
  void Rewind();

  // Waits until all of the log and every note was delivered; false after `timeout`.
  bool AwaitDelivery(absl::Duration timeout);
  // Whether somebody waits for delivery of what was sent.
  bool delivery_awaited() const;

 private:
  bool AllDelivered() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  base::Clock& clock_;
  const std::function<void()> changed_;
  mutable base::Mutex mutex_;
  base::CondVar delivered_changed_;
  std::string log_ ABSL_GUARDED_BY(mutex_);
  bool truncated_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t delivered_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t notes_sent_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t notes_delivered_ ABSL_GUARDED_BY(mutex_) = 0;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<ProgressNote> progress_ ABSL_GUARDED_BY(mutex_);
  std::string phase_ ABSL_GUARDED_BY(mutex_) = "snapshot";
  int64_t activity_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::agent
