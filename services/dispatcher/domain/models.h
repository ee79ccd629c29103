#pragma once

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/dispatcher/domain/keys.h"

namespace slipway::dispatcher {

// How much the result of a task must stand.
enum class ValidationNeed { kNone, kTests, kStrict };

struct KeyRequest {
  AttemptKey attempt;
  std::string role;  // That the plan names; a stronger one may be given.
  std::string intent;
  int complexity = 0;  // As of TaskSpec.
  ValidationNeed validation_need = ValidationNeed::kTests;
  int failures = 0;  // Of attempts at the task that were the agent's fault.
  absl::Duration lifetime;
  int64_t limit_usd_nanos = 0;
};

struct IssuedKey {
  std::string key;
  std::string proxy_address;
  std::string role;  // That the agent is to ask for; empty: as the plan names it.
};

// Keys of attempts for the models proxy. Calls do not block; the callback comes once, on any
// thread.
class Models {
 public:
  virtual ~Models() = default;
  virtual void IssueKey(const KeyRequest& request,
                        absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&> done) = 0;
  virtual void RevokeKeys(const AttemptKey& attempt,
                          absl::AnyInvocable<void(absl::Status) &&> done) = 0;
  // What was asked for since the last Flush may go out together; it goes out now.
  virtual void Flush() {}
};

}  // namespace slipway::dispatcher
