#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/models/domain/call.h"

namespace slipway::models {

// What the secret of every key begins with.
inline constexpr char kAttemptKeyPrefix[] = "slpk_";

// What the holder of a key may do. The secret itself is stored nowhere.
struct AttemptKey {
  std::string hash;  // SHA-256 of the secret.
  Scopes scopes;     // Without a role.
  int64_t epoch = 0;
  int64_t generation = 0;  // Of whoever asked for it: rises with each of its starts.
  std::vector<std::string> roles;
  absl::Time expire_time;
  int64_t limit_usd_nanos = 0;  // Over all its calls; 0: none.
};

// What the calls of one key have cost and hold.
struct KeyUse {
  int64_t settled_usd_nanos = 0;
  int64_t held_usd_nanos = 0;  // By calls under way.
};

}  // namespace slipway::models
