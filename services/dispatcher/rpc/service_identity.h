#pragma once

#include "absl/time/time.h"
#include "lib/rpc/client_call.h"

namespace slipway::dispatcher {

// How the dispatcher presents itself to other services.
inline rpc::CallOptions AsDispatcher(absl::Duration timeout) {
  return {.timeout = timeout, .principal = "dispatcher", .role = "service"};
}

}  // namespace slipway::dispatcher
