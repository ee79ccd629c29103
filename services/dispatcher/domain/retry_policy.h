#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/dispatcher/domain/policy.h"

namespace slipway::dispatcher {

// Whose fault a failure is; each class has retries of its own.
enum class RetryClass {
  kAgent,           // Patch refused, validators failed, gaps found, nothing usable, out of time.
  kConflict,        // The change does not merge any more.
  kInfrastructure,  // Agent, host or snapshot lost.
  kProvider,        // The provider failed.
  kStall,           // Nothing was observed of it for long.
};

// "agent", "conflict", "infrastructure", "provider", "stall": keys of Task.retries.
absl::string_view Name(RetryClass retry_class);

// How many retries the class has before a person is asked.
int RetriesMax(RetryClass retry_class, const RunPolicy& policy);

// Uniform in [0, 1); injected so that tests decide.
using Randomness = std::function<double()>;

// Zero for agent, conflict and stall, which change something by their feedback; otherwise `initial`
// doubled with each earlier failure, at most kBackoffMax, of which a random half is taken off so
// that tasks that failed together do not come back together.
absl::Duration RetryDelay(RetryClass retry_class, int earlier_failures, absl::Duration initial,
                          const Randomness& random);

// The longest wait that such delays give a task with so many `retries`, by name of their class.
absl::Duration LongestWait(const std::map<std::string, int>& retries, absl::Duration initial);

// The wait before a step of the review is tried again.
absl::Duration StepDelay(int earlier_failures, const Randomness& random);

}  // namespace slipway::dispatcher
