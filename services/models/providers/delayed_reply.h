#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/base/mutex.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// An exchange whose whole reply is given by one function of this process, at once or after a while.
// Ending it waits for the function where it runs, and keeps it from running where it has not.
class DelayedReply final : public ProviderExchange {
 public:
  // Calls `play` once: before it returns where `latency` is zero, else then, as a job of
  // `executor`, because it may block. Clock and executor must outlive the exchange.
  static std::unique_ptr<ProviderExchange> Start(absl::Duration latency, base::Clock& clock,
                                                 base::Executor& executor,
                                                 absl::AnyInvocable<void()> play);
  ~DelayedReply() override;

 private:
  struct State {
    void Play();

    base::Mutex mutex;
    absl::AnyInvocable<void()> play ABSL_GUARDED_BY(mutex);  // Null: has run, or is not to.
  };

  explicit DelayedReply(absl::AnyInvocable<void()> play);

  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::unique_ptr<base::Timer> timer_;
};

}  // namespace slipway::models
