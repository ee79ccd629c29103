#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/mutex.h"
#include "services/models/domain/attempt_key.h"
#include "services/models/domain/role_choice.h"
#include "services/models/domain/route_table.h"
#include "services/models/domain/running_calls.h"
#include "services/models/domain/store.h"

namespace slipway::models {

// Keys by which attempts call models. Thread-safe; blocks on disk.
class AttemptKeys final {
 public:
  struct Issue {
    Scopes scopes;
    int64_t epoch = 0;
    int64_t generation = 0;
    std::vector<std::string> roles;
    absl::Duration lifetime;
    int64_t limit_usd_nanos = 0;
    // What the attempt is like: the first role is then only the least, or none is named at all.
    std::optional<TaskTraits> traits;
  };
  struct Issued {
    std::string secret;
    absl::Time expire_time;
    std::string role;  // That the attempt is to ask for.
    std::vector<std::string> role_reasons;
  };

  // With `fixed_roles` the role that a plan names is never raised.
  AttemptKeys(Store& store, const RouteTable& routes, RunningCalls& running, base::Clock& clock,
              base::IdGenerator& ids, bool fixed_roles = false)
      : store_(store),
        routes_(routes),
        running_(running),
        clock_(clock),
        ids_(ids),
        fixed_roles_(fixed_roles) {}

  // Replaces an earlier key of the same attempt and epoch, whose calls are cancelled. Fails with
  // ScopeInvalid, RoleUnknown, RouteMissing, LifetimeInvalid or LimitInvalid, or with
  // AttemptRevoked for an attempt whose keys were revoked and KeySuperseded where there is a key of
  // a later generation: a request to issue one that comes late makes none.
  absl::StatusOr<Issued> IssueKey(const Issue& issue, Durability durability = Durability::kAtOnce);

  // Ends the keys of an attempt for good, cancels their calls, and returns how many keys there
  // were.
  absl::StatusOr<int> Revoke(const std::string& attempt,
                             Durability durability = Durability::kAtOnce);

  // The live key of that secret, where it was used before; absent else. Does not block.
  std::optional<AttemptKey> FindKnown(absl::string_view secret);

  // The live key of that secret. Fails with KeyInvalid.
  absl::StatusOr<AttemptKey> Authenticate(absl::string_view secret);

 private:
  struct Known {
    AttemptKey key;
    absl::Duration end;  // Of Elapsed(): a wall clock that is set ends no key of this process.
  };

  void Drop(const std::vector<std::string>& hashes);
  void Know(const AttemptKey& key, absl::Duration lifetime, int64_t drops);
  int64_t drops();

  // The role of an attempt with traits: one that a route serves.
  absl::StatusOr<RoleChoice> Choose(const Issue& issue) const;

  Store& store_;
  const RouteTable& routes_;
  RunningCalls& running_;
  base::Clock& clock_;
  base::IdGenerator& ids_;
  const bool fixed_roles_;

  // Keys by hash, so that a call does not read the database for its own, from their issue on. Only
  // those that the store has: what ends keys there drops them here, and the store looks once more
  // as the call begins.
  base::Mutex mutex_;
  std::unordered_map<std::string, Known> known_ ABSL_GUARDED_BY(mutex_);
  int64_t drops_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::models
