#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/executor.h"
#include "lib/base/task.h"
#include "services/models/domain/call_thread.h"
#include "services/models/domain/ledger.h"

namespace slipway::models {

struct HeldAndRecorded {
  absl::StatusOr<Hold> hold;
  absl::Status recorded;
};

// Asks the ledger for a hold, and runs `record` on a thread of `blocking` meanwhile, which is over
// first as a rule. Goes on where the last of them ends. `afterwards` runs on that thread once
// nobody waits for it, so that it must refer to nothing of the call.
struct RecordJob {
  std::function<absl::Status()> record;
  std::function<void()> afterwards;
};
base::Task<HeldAndRecorded> HoldAndRecord(Ledger& ledger, const HoldRequest& request, RecordJob job,
                                          base::Executor& blocking, CallThread& thread);

}  // namespace slipway::models
