#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "services/models/domain/cancellation.h"

namespace slipway::models {

// The calls of this process that are under way. Thread-safe.
class RunningCalls final {
 public:
  // Takes part from construction to destruction. While another call of the same id is under way,
  // construction waits for its end, so that a repeat is answered from the record.
  class Entry final {
   public:
    Entry(RunningCalls& calls, std::string call_id, std::string key_hash,
          Cancellation& cancellation);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    RunningCalls& calls_;
    const std::string call_id_;
  };

  // Cancels the calls of the keys.
  void CancelKeys(const std::vector<std::string>& key_hashes, absl::string_view why);
  // Cancels all, also those that start later.
  void CancelAll(absl::string_view why);

  size_t size() const;

 private:
  struct Running {
    std::string key_hash;
    Cancellation* cancellation;
  };

  mutable base::Mutex mutex_;
  base::CondVar ended_;
  std::map<std::string, Running> running_ ABSL_GUARDED_BY(mutex_);
  std::string stopped_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
