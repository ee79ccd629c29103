#pragma once

#include <memory>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"

#include "agent/session/dispatcher_client.h"
#include "agent/session/holder.h"
#include "agent/session/session.h"
#include "agent/supervisor/attempt.h"
#include "agent/supervisor/settings.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/mutex.h"

namespace slipway::agent {

// The supervisor: dials the dispatcher and works on one grant after the other, outside of the
// sandbox that each of them gets. Thread-safe.
class Agent final : public Holder {
 public:
  struct Collaborators {
    base::Clock& clock;
    base::IdGenerator& ids;
  };

  Agent(Settings settings, Collaborators collaborators);
  ~Agent() override;

  // Checks that the sandbox isolates and that this program runs inside, and sweeps what dead agents
  // left. SANDBOX_MISSING, SANDBOX_BROKEN, ProgramNotRunnable: there is no weaker mode.
  absl::Status Prepare();

  // Works until the dispatcher says Goodbye, enough attempts are done, or Stop.
  absl::Status Run();

  // Ends the attempt under way, reports that if possible, and ends Run.
  void Stop();

  absl::Status Take(Grant grant, absl::Duration lease_start, absl::Duration lease_timeout) override;
  std::optional<Held> held() const override;
  void Keep(const GrantKey& key, absl::Duration sent, absl::Duration lease_timeout) override;
  void Fence(const GrantKey& key) override;
  void HandedIn(const GrantKey& key) override;

 private:
  void WorkOn(const std::shared_ptr<Attempt>& attempt);
  std::shared_ptr<Attempt> Find(const GrantKey& key) const;
  bool GoesOn() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The attempt has its receipt, or is over.
  void Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopAttempt(Lease::Cause cause);

  const Settings settings_;
  const Collaborators collaborators_;
  DispatcherClient client_;
  Session session_;
  mutable base::Mutex mutex_;
  std::shared_ptr<Attempt> attempt_ ABSL_GUARDED_BY(mutex_);
  std::optional<GrantKey> last_ ABSL_GUARDED_BY(mutex_);
  int attempts_done_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread worker_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::agent
