#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "agent/domain/attempt_report.h"
#include "agent/domain/grant.h"

namespace slipway::agent {

// What an agent works on, as its session sees it. Thread-safe; no call blocks.
class Holder {
 public:
  struct Held {
    GrantKey key;
    std::shared_ptr<AttemptReport> report;
  };

  virtual ~Holder() = default;

  // Takes `grant`, or says why not. A grant that is held already is taken again.
  virtual absl::Status Take(Grant grant, absl::Duration lease_start,
                            absl::Duration lease_timeout) = 0;
  virtual std::optional<Held> held() const = 0;

  // The dispatcher's word on a grant, in answer to a message sent at `sent` (Clock::Elapsed).
  virtual void Keep(const GrantKey& key, absl::Duration sent, absl::Duration lease_timeout) = 0;
  virtual void Fence(const GrantKey& key) = 0;

  // The dispatcher has the result: another grant may be taken from now on.
  virtual void HandedIn(const GrantKey& key) = 0;
};

}  // namespace slipway::agent
