#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "lib/base/mutex.h"
#include "lib/rpc/client_call.h"

namespace slipway::dispatcher {

// The asynchronous calls of a client, so that a stop can end them and wait for their callbacks.
// Thread-safe.
class CallsUnderWay final {
 public:
  uint64_t Begin();
  // The call of `id`, unless it has ended already.
  void Attach(uint64_t id, rpc::PendingCall call);
  void End(uint64_t id);

  // Cancels all, also those that begin later, and waits until none is left.
  void Stop();

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<uint64_t, std::optional<rpc::PendingCall>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
