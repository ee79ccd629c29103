#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/base/mutex.h"
#include "lib/events/event.h"
#include "services/gateway/domain/role.h"

namespace slipway::gateway {

// Records who was denied and what administrators did as events, off the caller's thread: a full
// queue or a crash may lose the last ones, never delay a call. Denials are bounded in rate. Methods
// are full names, "slipway.ledger.v1.LedgerService/SetBudget". Thread-safe.
class AccessLog final {
 public:
  // Makes an event durable; blocks. Must be callable until the executor has stopped.
  using Append = std::function<absl::Status(const events::EventDraft&)>;

  // The executor and the clock must outlive the log, and the log the executor's jobs.
  AccessLog(Append append, base::Executor& executor, base::Clock& clock);

  // `principal` is empty when nobody was signed in.
  void Denied(absl::string_view method, absl::string_view principal, Role required);

  // A method that needs the role admin ended with `code`: "OK", "NOT_FOUND".
  void Called(absl::string_view method, absl::string_view principal, absl::string_view code);

 private:
  bool TakeDenial();
  void Record(absl::string_view kind, const std::string& facts_json);

  const Append append_;
  base::Executor& executor_;
  base::Clock& clock_;
  base::Mutex mutex_;
  double denials_left_ ABSL_GUARDED_BY(mutex_);
  absl::Duration refilled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::gateway
