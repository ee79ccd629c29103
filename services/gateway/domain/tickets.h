#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/mutex.h"

namespace slipway::gateway {

// Short-lived stand-ins for a secret, for places that cannot send a header: the URL of an
// EventSource. In memory only; a restart ends them all. Thread-safe; the collaborators must
// outlive it.
class Tickets final {
 public:
  Tickets(base::Clock& clock, base::IdGenerator& ids) : clock_(clock), ids_(ids) {}

  // A ticket that stands for `secret` for kTicketLife. The oldest goes when there are kTicketsMax.
  std::string Issue(const std::string& secret);

  // The secret behind `ticket`. Fails with TOKEN_INVALID.
  absl::StatusOr<std::string> Redeem(absl::string_view ticket);

 private:
  struct Entry {
    std::string secret;
    absl::Duration end;  // By Clock::Elapsed.
  };

  void DropEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  base::Clock& clock_;
  base::IdGenerator& ids_;
  base::Mutex mutex_;
  std::map<std::string, Entry, std::less<>> tickets_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> by_age_ ABSL_GUARDED_BY(mutex_);  // All live equally long.
};

}  // namespace slipway::gateway
