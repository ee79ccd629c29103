#pragma once

#include <string>

#include "absl/time/time.h"

namespace slipway::ledger {

// A scope in which a person has stopped all spending, whatever budgets cover it.
struct FrozenScope {
  std::string scope;
  std::string reason;
  std::string actor;
  absl::Time freeze_time;
};

}  // namespace slipway::ledger
