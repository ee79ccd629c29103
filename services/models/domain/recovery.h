#pragma once

#include "absl/status/status.h"
#include "lib/base/clock.h"
#include "services/models/domain/caller.h"
#include "services/models/domain/store.h"

namespace slipway::models {

// Ends every call that an instance before `owner` left running: one that was not sent yet is
// released, else the provider's books decide, and where it keeps none the hold is charged. What is
// held for a call that was not recorded is released. What the ledger is to be told is owed
// afterwards. Run once, before the first call; blocks.
absl::Status RecoverCalls(Store& store, const Providers& providers, base::Clock& clock,
                          const std::string& owner, const std::string& boot);

}  // namespace slipway::models
