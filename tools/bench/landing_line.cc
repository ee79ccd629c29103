#include "tools/bench/landing_line.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"
#include "services/reviewer/flow/inspector.h"
#include "services/reviewer/flow/judge.h"
#include "services/reviewer/flow/landing_queue.h"
#include "services/reviewer/flow/merger.h"
#include "services/reviewer/flow/plan_opener.h"

namespace slipway::bench {
namespace {

constexpr char kPlan[] = "projects/bench/plans/2026-11-21-landings";

// No critic is configured, so that nobody may call a model.
class NoModels final : public reviewer::ModelClient {
 public:
  absl::StatusOr<std::string> Generate(const reviewer::ModelRequest&) override {
    return absl::FailedPreconditionError("the benchmark has no models");
  }
};

}  // namespace

LandingLine::LandingLine(std::unique_ptr<reviewer::SqliteReviewStore> store,
                         std::unique_ptr<reviewer::Mirrors> mirrors)
    : store_(std::move(store)),
      mirrors_(std::move(mirrors)),
      sources_({}),
      workshop_{
          .store = *store_, .mirrors = *mirrors_, .sources = sources_, .clock = base::RealClock()} {
}

absl::StatusOr<std::unique_ptr<LandingLine>> LandingLine::Open(const std::string& source,
                                                               const std::string& directory) {
  ASSIGN_OR_RETURN(std::unique_ptr<reviewer::SqliteReviewStore> store,
                   reviewer::SqliteReviewStore::Open(absl::StrCat(directory, ".db"),
                                                     base::RealClock(), base::RandomIds()));
  ASSIGN_OR_RETURN(std::unique_ptr<reviewer::Mirrors> mirrors, reviewer::Mirrors::Open(directory));
  std::unique_ptr<LandingLine> line(new LandingLine(std::move(store), std::move(mirrors)));
  ASSIGN_OR_RETURN(const reviewer::Plan plan, reviewer::PlanOpener(line->workshop_)
                                                  .Open({.name = kPlan,
                                                         .location = source,
                                                         .target_branch = "main",
                                                         .branch = "plan/2026-11-21-landings"}));
  line->tip_ = plan.base_commit;
  return line;
}

absl::StatusOr<LandingTimes> LandingLine::Land(const std::string& patch) {
  base::Clock& clock = base::RealClock();
  const int64_t epoch = ++landed_;
  const std::string attempt = absl::StrCat(kPlan, "/tasks/t", epoch, "/attempts/", epoch);
  LandingTimes times;
  absl::Duration started = clock.Elapsed();
  const auto lap = [&](absl::Duration& time) {
    const absl::Duration now = clock.Elapsed();
    time = now - std::exchange(started, now);
  };
  ASSIGN_OR_RETURN(const reviewer::Inspection inspection,
                   reviewer::Inspector(workshop_).Inspect({.attempt = attempt,
                                                           .epoch = epoch,
                                                           .base_commit = tip_,
                                                           .patch = patch,
                                                           .title = "Change three files"}));
  if (!inspection.accepted) {
    return absl::InternalError(
        absl::StrCat("the patch was refused: ", inspection.findings.front().detail));
  }
  lap(times.inspect);
  ASSIGN_OR_RETURN(const reviewer::LandingQueue::Answer built,
                   reviewer::LandingQueue::Ask(workshop_, attempt, {}));
  const auto* const candidate = std::get_if<reviewer::Candidate>(&built.outcome);
  if (candidate == nullptr) return absl::InternalError("the patch conflicts");
  lap(times.candidate);
  NoModels models;
  ASSIGN_OR_RETURN(const reviewer::Verdict verdict,
                   reviewer::Judge(workshop_, models).Decide({.candidate = candidate->name}));
  lap(times.verdict);
  ASSIGN_OR_RETURN(const reviewer::Merged merged,
                   reviewer::Merger(workshop_).Merge(candidate->name, ""));
  lap(times.merge);
  if (verdict.kind != reviewer::VerdictKind::kPassed || merged.commit != candidate->commit) {
    return absl::InternalError("another commit landed");
  }
  tip_ = merged.commit;
  return times;
}

}  // namespace slipway::bench
