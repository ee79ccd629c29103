#include "agent/domain/attempt_report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/domain/limits.h"

namespace slipway::agent {
namespace {

constexpr absl::string_view kTruncated = "\n[the log is full; the rest is not kept]\n";

}  // namespace

void AttemptReport::Log(absl::string_view text) {
  if (text.empty()) return;
  {
    base::MutexLock lock(mutex_);
    if (truncated_) return;
    const size_t room = kLogBytesMax - std::min(kLogBytesMax, log_.size());
    absl::StrAppend(&log_, text.substr(0, room));
    if (text.size() > room) {
      truncated_ = true;
      absl::StrAppend(&log_, kTruncated);
    }
  }
  changed_();
}

void AttemptReport::Progress(ProgressNote note) {
  {
    base::MutexLock lock(mutex_);
    if (progress_.size() >= kProgressMax) progress_.pop_front();
    progress_.push_back(std::move(note));
  }
  changed_();
}

void AttemptReport::SetPhase(absl::string_view phase) {
  base::MutexLock lock(mutex_);
  phase_ = std::string(phase);
  ++activity_;
}

void AttemptReport::Active() {
  base::MutexLock lock(mutex_);
  ++activity_;
}

std::string AttemptReport::phase() const {
  base::MutexLock lock(mutex_);
  return phase_;
}

int64_t AttemptReport::activity() const {
  base::MutexLock lock(mutex_);
  return activity_;
}

std::optional<AttemptReport::LogPiece> AttemptReport::TakeLog(size_t size_max) {
  base::MutexLock lock(mutex_);
  if (sent_ == static_cast<int64_t>(log_.size())) return std::nullopt;
  LogPiece piece{.offset = sent_, .data = log_.substr(static_cast<size_t>(sent_), size_max)};
  sent_ += static_cast<int64_t>(piece.data.size());
  return piece;
}

std::optional<ProgressNote> AttemptReport::TakeProgress() {
  base::MutexLock lock(mutex_);
  if (progress_.empty()) return std::nullopt;
  ProgressNote note = std::move(progress_.front());
  progress_.pop_front();
  ++notes_sent_;
  return note;
}

int64_t AttemptReport::sent() const {
  base::MutexLock lock(mutex_);
  return sent_;
}

int64_t AttemptReport::notes_sent() const {
  base::MutexLock lock(mutex_);
  return notes_sent_;
}

void AttemptReport::Delivered(int64_t offset, int64_t notes) {
  base::MutexLock lock(mutex_);
  notes_delivered_ = std::max(notes_delivered_, notes);
  delivered_ = std::max(delivered_, offset);
  delivered_changed_.NotifyAll();
}

void AttemptReport::Rewind() {
  base::MutexLock lock(mutex_);
  sent_ = delivered_;
  notes_delivered_ = notes_sent_;  // A note is sent once: those of a broken connection are gone.
}

bool AttemptReport::AllDelivered() const {
  return delivered_ >= static_cast<int64_t>(log_.size()) && progress_.empty() &&
         notes_delivered_ >= notes_sent_;
}

bool AttemptReport::AwaitDelivery(absl::Duration timeout) {
  const absl::Duration deadline = clock_.Elapsed() + timeout;
  {
    base::MutexLock lock(mutex_);
    ++waiting_;
  }
  changed_();
  base::MutexLock lock(mutex_);
  while (!AllDelivered()) {
    const absl::Duration left = deadline - clock_.Elapsed();
    if (left <= absl::ZeroDuration()) break;
    delivered_changed_.WaitFor(mutex_, left);
  }
  --waiting_;
  return AllDelivered();
}

bool AttemptReport::delivery_awaited() const {
  base::MutexLock lock(mutex_);
  return waiting_ > 0 && delivered_ < sent_;
}

}  // namespace slipway::agent
