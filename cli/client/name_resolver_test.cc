#include "cli/client/name_resolver.h"

#include <gtest/gtest.h>

#include <map>

#include "lib/testkit/matchers.h"

namespace slipway::cli {
namespace {

using testkit::FailsWithReason;
using testkit::IsOkAndHolds;

class FakeNames final : public NameSource {
 public:
  absl::StatusOr<std::vector<std::string>> Projects() override { return projects; }
  absl::StatusOr<std::vector<std::string>> Plans(const std::string& project) override {
    return plans[project];
  }
  absl::StatusOr<std::vector<std::string>> Tasks(const std::string& plan) override {
    return tasks[plan];
  }
  absl::StatusOr<std::vector<std::string>> Attempts(const std::string& task) override {
    return attempts[task];
  }
  absl::StatusOr<std::vector<std::string>> OpenCheckpoints() override { return checkpoints; }

  std::vector<std::string> projects = {"projects/shop"};
  std::map<std::string, std::vector<std::string>> plans = {
      {"projects/shop",
       {"projects/shop/plans/2026-11-21-export", "projects/shop/plans/2026-11-20-export-2",
        "projects/shop/plans/2026-11-19-import"}}};
  std::map<std::string, std::vector<std::string>> tasks = {
      {"projects/shop/plans/2026-11-21-export",
       {"projects/shop/plans/2026-11-21-export/tasks/parse"}},
      {"projects/shop/plans/2026-11-19-import",
       {"projects/shop/plans/2026-11-19-import/tasks/parse",
        "projects/shop/plans/2026-11-19-import/tasks/docs"}}};
  std::map<std::string, std::vector<std::string>> attempts;
  std::vector<std::string> checkpoints;
};

class NameResolverTest : public ::testing::Test {
 protected:
  FakeNames source_;
  NameResolver names_{source_, ""};
};

TEST_F(NameResolverTest, TakesFullNamesWithoutLookingThemUp) {
  EXPECT_THAT(names_.Plan("projects/other/plans/x"), IsOkAndHolds("projects/other/plans/x"));
  EXPECT_THAT(names_.Plan("projects/other/plan/x"), FailsWithReason("NAME_INVALID"));
}

TEST_F(NameResolverTest, FindsAPlanByIdDatelessIdOrBeginning) {
  const std::string plan = "projects/shop/plans/2026-11-21-export";
  EXPECT_THAT(names_.Plan("2026-11-21-export"), IsOkAndHolds(plan));
  EXPECT_THAT(names_.Plan("export"), IsOkAndHolds(plan));
  EXPECT_THAT(names_.Plan("shop/2026-11-21"), IsOkAndHolds(plan));
  EXPECT_THAT(names_.Plan("latest"), IsOkAndHolds(plan));
  EXPECT_THAT(names_.Plan("imp"), IsOkAndHolds("projects/shop/plans/2026-11-19-import"));
}

TEST_F(NameResolverTest, SaysWhatAnAmbiguousBeginningMayMean) {
  const auto plan = names_.Plan("exp");
  EXPECT_THAT(plan, FailsWithReason("NAME_AMBIGUOUS"));
  EXPECT_NE(plan.status().message().find("2026-11-20-export-2"), absl::string_view::npos);
}

TEST_F(NameResolverTest, RefusesWhatDoesNotExist) {
  EXPECT_THAT(names_.Plan("nothing"), FailsWithReason("PLAN_UNKNOWN"));
  EXPECT_THAT(names_.Plan(""), FailsWithReason("PLAN_UNKNOWN"));
  EXPECT_THAT(names_.Task("nothing"), FailsWithReason("TASK_UNKNOWN"));
  EXPECT_THAT(names_.PlanOrTask("nothing"), FailsWithReason("PLAN_UNKNOWN"));
}

TEST_F(NameResolverTest, NeedsAProjectWhenThereIsNotExactlyOne) {
  source_.projects = {"projects/a", "projects/b"};
  EXPECT_THAT(names_.Plan("export"), FailsWithReason("PROJECT_MISSING"));
  EXPECT_THAT(NameResolver(source_, "shop").Plan("import"),
              IsOkAndHolds("projects/shop/plans/2026-11-19-import"));
  source_.projects = {};
  EXPECT_THAT(names_.Project(), FailsWithReason("PROJECT_MISSING"));
}

TEST_F(NameResolverTest, TakesTheNewestPlanThatHasTheTask) {
  EXPECT_THAT(names_.Task("parse"),
              IsOkAndHolds("projects/shop/plans/2026-11-21-export/tasks/parse"));
  EXPECT_THAT(names_.Task("import/parse"),
              IsOkAndHolds("projects/shop/plans/2026-11-19-import/tasks/parse"));
  EXPECT_THAT(names_.PlanOrTask("docs"),
              IsOkAndHolds("projects/shop/plans/2026-11-19-import/tasks/docs"));
}

TEST_F(NameResolverTest, ATaskMeansItsNewestAttempt) {
  const std::string task = "projects/shop/plans/2026-11-19-import/tasks/docs";
  EXPECT_THAT(names_.Attempt("docs"), FailsWithReason("ATTEMPT_MISSING"));
  source_.attempts[task] = {task + "/attempts/1", task + "/attempts/2"};
  EXPECT_THAT(names_.Attempt("docs"), IsOkAndHolds(task + "/attempts/2"));
  EXPECT_THAT(names_.Attempt("docs@1"), IsOkAndHolds(task + "/attempts/1"));
}

TEST_F(NameResolverTest, FindsAQuestionByItsIdOrItsTask) {
  const std::string name = "projects/shop/plans/n/tasks/docs/checkpoints/c1";
  source_.checkpoints = {name};
  EXPECT_THAT(names_.Checkpoint("c1"), IsOkAndHolds(name));
  EXPECT_THAT(names_.Checkpoint("docs"), IsOkAndHolds(name));
  EXPECT_THAT(names_.Checkpoint("c2"), FailsWithReason("CHECKPOINT_UNKNOWN"));
}

TEST_F(NameResolverTest, AScopeMayBeEverythingOrAProject) {
  EXPECT_THAT(names_.Scope("everything"), IsOkAndHolds("everything"));
  EXPECT_THAT(names_.Scope("shop"), IsOkAndHolds("projects/shop"));
  EXPECT_THAT(names_.Scope("export"), IsOkAndHolds("projects/shop/plans/2026-11-21-export"));
}

}  // namespace
}  // namespace slipway::cli
