#pragma once

#include "absl/time/time.h"
#include "lib/rpc/client_call.h"

namespace slipway::planner {

// How the planner presents itself to other services.
inline rpc::CallOptions AsPlanner(absl::Duration timeout) {
  return {.timeout = timeout, .principal = "planner", .role = "service"};
}

}  // namespace slipway::planner
