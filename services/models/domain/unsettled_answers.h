#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "lib/base/mutex.h"

namespace slipway::models {

// Calls whose reply is complete, which their agent may know, and of whose cost the ledger has yet
// to be told. The next call of the same attempt waits for that, so that no agent finds its own last
// call still holding the money. Thread-safe.
class UnsettledAnswers final {
 public:
  // Counts from construction to destruction.
  class Entry final {
   public:
    Entry(UnsettledAnswers& answers, const std::string& attempt);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    UnsettledAnswers& answers_;
    const std::string attempt_;
  };

  // Calls `none` when there are none of the attempt: with true at once, or later with false on the
  // thread that settled the last of them.
  void OnNone(const std::string& attempt, absl::AnyInvocable<void(bool)> none);

 private:
  struct Answers {
    int count = 0;
    std::vector<absl::AnyInvocable<void(bool)>> waiting;
  };

  base::Mutex mutex_;
  std::map<std::string, Answers> of_attempts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
