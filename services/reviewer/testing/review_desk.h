#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"
#include "services/reviewer/flow/inspector.h"
#include "services/reviewer/flow/judge.h"
#include "services/reviewer/flow/landing_queue.h"
#include "services/reviewer/flow/merger.h"
#include "services/reviewer/flow/plan_opener.h"
#include "services/reviewer/storage/sqlite_review_store.h"

namespace slipway::reviewer {

// The reviewer's steps over files, without a server: for tests that kill it or race it.
// Thread-safe.
class ReviewDesk final : public ModelClient {
 public:
  static constexpr char kPlan[] = "projects/shop/plans/2026-11-21-csv";
  static constexpr char kBranch[] = "plan/2026-11-21-csv";

  // What a start of the service does: opens the store and the mirrors, and ends all intents.
  static absl::StatusOr<std::unique_ptr<ReviewDesk>> Open(const std::string& directory) {
    ASSIGN_OR_RETURN(
        std::unique_ptr<SqliteReviewStore> store,
        SqliteReviewStore::Open(directory + "/reviewer.db", base::RealClock(), base::RandomIds()));
    ASSIGN_OR_RETURN(std::unique_ptr<Mirrors> mirrors, Mirrors::Open(directory + "/mirrors"));
    std::unique_ptr<ReviewDesk> desk(new ReviewDesk(std::move(store), std::move(mirrors)));
    RETURN_IF_ERROR(Merger(desk->workshop_).Recover());
    return desk;
  }

  absl::StatusOr<Plan> OpenPlan(const std::string& source) {
    return PlanOpener(workshop_).Open(
        {.name = kPlan, .location = source, .target_branch = "main", .branch = kBranch});
  }

  static std::string AttemptOf(const std::string& task) {
    return absl::StrCat(kPlan, "/tasks/", task, "/attempts/1");
  }

  // The accepted inspection of the patch of a task's only attempt.
  absl::Status Inspect(const std::string& task, const std::string& base, const std::string& patch) {
    ASSIGN_OR_RETURN(const Inspection inspection,
                     Inspector(workshop_).Inspect({.attempt = AttemptOf(task),
                                                   .epoch = 1,
                                                   .base_commit = base,
                                                   .patch = patch,
                                                   .title = absl::StrCat("Change ", task)}));
    return inspection.accepted ? absl::OkStatus()
                               : absl::FailedPreconditionError(inspection.findings.front().detail);
  }

  // Candidate, verdict and merge; what landed. ABORTED when the branch moved meanwhile.
  // `queue` has the tasks whose changes are under review.
  absl::StatusOr<Merged> Land(const std::string& task, const std::vector<std::string>& queue = {}) {
    std::vector<std::string> order;
    for (const std::string& each : queue) order.push_back(AttemptOf(each));
    ASSIGN_OR_RETURN(const LandingQueue::Answer answer,
                     LandingQueue::Ask(workshop_, AttemptOf(task), order));
    const BuildOutcome& built = answer.outcome;
    if (const auto* merged = std::get_if<Merged>(&built)) return *merged;
    const auto* candidate = std::get_if<Candidate>(&built);
    if (candidate == nullptr) return absl::FailedPreconditionError("the change conflicts");
    RETURN_IF_ERROR(Judge(workshop_, *this).Decide({.candidate = candidate->name}).status());
    return Merger(workshop_).Merge(candidate->name, "", order);
  }

  // No critic is configured.
  absl::StatusOr<std::string> Generate(const ModelRequest&) override {
    return absl::FailedPreconditionError("there are no models");
  }

  const Workshop& workshop() const { return workshop_; }

 private:
  ReviewDesk(std::unique_ptr<SqliteReviewStore> store, std::unique_ptr<Mirrors> mirrors)
      : store_(std::move(store)),
        mirrors_(std::move(mirrors)),
        sources_({}),
        workshop_{.store = *store_,
                  .mirrors = *mirrors_,
                  .sources = sources_,
                  .clock = base::RealClock()} {}

  const std::unique_ptr<SqliteReviewStore> store_;
  const std::unique_ptr<Mirrors> mirrors_;
  const Sources sources_;
  const Workshop workshop_;
};

}  // namespace slipway::reviewer
