#include "services/models/domain/hold_and_record.h"

#include <memory>
#include <utility>

#include "lib/base/mutex.h"

namespace slipway::models {
namespace {

// Two things that are done at the same time; whoever ends last goes on, and says whether it may be
// kept waiting.
struct Both {
  HeldAndRecorded result;
  base::Mutex mutex;
  int left ABSL_GUARDED_BY(mutex) = 2;
  base::Callback<bool>::Done go_on ABSL_GUARDED_BY(mutex);

  void EndOne(bool may_block) {
    base::Callback<bool>::Done ended;
    {
      base::MutexLock lock(mutex);
      if (--left > 0) return;
      std::swap(ended, go_on);
    }
    ended(may_block);
  }
};

}  // namespace

base::Task<HeldAndRecorded> HoldAndRecord(Ledger& ledger, const HoldRequest& request, RecordJob job,
                                          base::Executor& blocking, CallThread& thread) {
  const auto both = std::make_shared<Both>();
  base::Callback<bool> ended([&](base::Callback<bool>::Done done) {
    {
      base::MutexLock lock(both->mutex);
      both->go_on = std::move(done);
    }
    ledger.StartReserve(request, [both](absl::StatusOr<Hold> hold) {
      both->result.hold = std::move(hold);
      both->EndOne(/*may_block=*/false);
    });
    const auto run = [both, job] {
      both->result.recorded = job.record();
      both->EndOne(/*may_block=*/true);  // What the call has may be gone now.
      job.afterwards();
    };
    if (!blocking.TryRun(run).ok()) run();
  });
  thread.MovedTo(co_await ended);
  co_return std::move(both->result);
}

}  // namespace slipway::models
