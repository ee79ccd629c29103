#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/thread_pool.h"
#include "services/planner/domain/dispatcher_client.h"
#include "services/planner/domain/plan_store.h"
#include "services/planner/domain/repository_client.h"

namespace slipway::planner {

// Hands approved plans, and approved changes to those that run, to the dispatcher and learns what
// becomes of them.
//
// The order to start is stored before anything is done and removed with the step to RUNNING, so a
// crash on either side is repaired by doing it again: opening and submitting are idempotent. An
// amendment is such an order while it is APPROVED.
// Thread-safe. The collaborators must outlive it.
class Starter final {
 public:
  struct Options {
    PlanStore& store;
    RepositoryClient& repository;
    DispatcherClient& dispatcher;
    base::Clock& clock;
  };

  explicit Starter(const Options& options) : options_(options), pool_({.threads = 1}) {}
  ~Starter() { Stop(); }

  // Takes up the orders that a crash left. Once.
  absl::Status Resume();

  // Starts an approved plan; nothing for one that was started. While the repository or the
  // dispatcher cannot be reached, fails with UNAVAILABLE and goes on trying by itself. An error
  // that trying again cannot help ends the order; the plan stays APPROVED and says why. Blocks.
  absl::StatusOr<PlanHead> Start(const std::string& project, const std::string& id,
                                 const std::string& actor);

  // Makes the dispatcher take an approved amendment; nothing when there is none. While it cannot be
  // reached, fails with AMENDMENT_PENDING and goes on trying by itself. When it refuses, the
  // amendment is REFUSED, or gone with the run that has ended. Blocks.
  absl::StatusOr<PlanHead> HandOver(const std::string& project, const std::string& id);

  // Follows a run: to COMPLETED, FAILED or CANCELLED, over RUNNING. Idempotent; unknown plans and
  // plans that have ended are left alone.
  absl::Status ApplyRun(const std::string& project, const std::string& id, const Run& run);

  // Asks the dispatcher about every plan in RUNNING: for when its log could not be followed.
  absl::Status Reconcile();

  void Stop();

 private:
  absl::StatusOr<PlanHead> Deliver(const PlanHead& plan, const std::string& actor);
  absl::Status Submit(PlanHead head, const std::string& actor);
  absl::Status Amend(const PlanHead& head);
  absl::StatusOr<PlanHead> MarkRunning(const PlanHead& plan, const std::string& actor);
  void Schedule(const PlanHead& plan, const absl::Status& trouble);
  absl::Status KeepFailure(const PlanHead& plan, const absl::Status& trouble, bool end_order);

  const Options options_;
  base::Mutex
      delivery_mutex_;  // One delivery at a time: they are rare, and order keeps them simple.
  base::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, int> waits_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::unique_ptr<base::Timer>> timers_ ABSL_GUARDED_BY(mutex_);
  base::ThreadPool pool_;
};

}  // namespace slipway::planner
