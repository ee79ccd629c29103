#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/thread_pool.h"
#include "services/planner/domain/cancellation.h"
#include "services/planner/domain/model_client.h"
#include "services/planner/domain/plan_store.h"
#include "services/planner/domain/repository_client.h"

namespace slipway::planner {

// Drafts plans: asks a model, checks the reply, asks for a better one a bounded number of times.
//
// Durable: what a plan needs to go on is stored before each call, and Resume after a restart goes
// on with the same call id, whose reply may have been paid for already. Every later call has a new
// id, since the models service answers an id once. Errors that pass leave the plan in DRAFTING,
// with the reason in its `failure`, and are tried again after a wait.
//
// Thread-safe. At most `threads` plans are drafted at once; the collaborators must outlive it.
class Drafter final {
 public:
  struct Options {
    PlanStore& store;
    ModelClient& models;
    RepositoryClient& repository;
    base::Clock& clock;
    std::string planning_role;
    int repair_rounds_max = 3;
    int threads = 4;
  };

  explicit Drafter(const Options& options);
  ~Drafter() { Stop(); }

  // Goes on with every plan in DRAFTING. Once, before any Begin.
  absl::Status Resume();

  // Drafts a new plan.
  void Begin(const PlanHead& plan);

  // Ends what goes on for a plan that has left DRAFTING. Nothing when there is nothing.
  void Cancel(const PlanHead& plan);

  // Plans that are drafted now, with those that wait.
  size_t active() const {
    base::MutexLock lock(mutex_);
    return entries_.size();
  }

  // Breaks off the calls under way, which Resume takes up, and joins. Idempotent.
  void Stop();

 private:
  struct Entry {
    std::shared_ptr<Cancellation> cancellation = std::make_shared<Cancellation>();
    std::unique_ptr<base::Timer> timer;
  };
  // What the next step is: now, after a wait, or none.
  using Next = std::optional<absl::Duration>;

  void Queue(const PlanHead& plan);
  void Run(const PlanHead& plan);
  void Schedule(const PlanHead& plan, absl::Duration wait);
  absl::StatusOr<Next> Step(const PlanHead& plan, Cancellation& cancellation);

  absl::StatusOr<PlanCall> PrepareCall(const PlanHead& plan, const Project& project,
                                       const Draft& draft);
  absl::StatusOr<std::string> ReadContext(const PlanHead& plan, const std::string& spec,
                                          int64_t tokens_max);
  absl::StatusOr<Draft> StoreCallId(const PlanHead& plan);
  absl::StatusOr<Next> Accept(const PlanHead& plan, const PlanContent& content);
  absl::StatusOr<Next> RefuseReply(const PlanHead& plan, const std::string& reply,
                                   const absl::Status& problem);
  absl::StatusOr<Next> HandleTrouble(const PlanHead& plan, const absl::Status& trouble,
                                     bool resumed_call);

  const Options options_;
  mutable base::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  base::ThreadPool pool_;
};

}  // namespace slipway::planner
