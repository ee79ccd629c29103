#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "services/models/domain/cancellation.h"

namespace slipway::models {

// The calls of this process that are under way, and how many there may be. Thread-safe.
class RunningCalls final {
 public:
  // Leave to make one call, until it is dropped. For closures that are copied: a shared one.
  using Place = std::shared_ptr<void>;

  // Takes part from construction to destruction, which must not be while it waits.
  class Entry final {
   public:
    Entry(RunningCalls& calls, std::string call_id, std::string key_hash,
          Cancellation& cancellation);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    // Calls `alone` once no earlier call of the same id is under way, so that a repeat is answered
    // from the record: with true at once, or later with false on the thread that ended that call.
    void OnAlone(absl::AnyInvocable<void(bool)> alone);

   private:
    friend class RunningCalls;

    RunningCalls& calls_;
    const std::string call_id_;
    const std::string key_hash_;
    Cancellation& cancellation_;
    absl::AnyInvocable<void(bool)> alone_;  // Guarded by the calls' mutex.
  };

  explicit RunningCalls(int places_max) : places_max_(places_max) {}

  // Fails with CallsExhausted.
  absl::StatusOr<Place> TakePlace();

  // Cancels the calls of the keys.
  void CancelKeys(const std::vector<std::string>& key_hashes, absl::string_view why);
  // Cancels all, also those that start later.
  void CancelAll(absl::string_view why);

  // Blocks until every place was given back.
  void AwaitNone();

  size_t size() const;
  int places_max() const { return places_max_; }

 private:
  const int places_max_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  int places_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::deque<Entry*>> running_ ABSL_GUARDED_BY(mutex_);  // First is alone.
  std::string stopped_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
