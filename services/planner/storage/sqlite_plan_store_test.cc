#include "services/planner/storage/sqlite_plan_store.h"

#include <memory>
#include <string>

#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "services/planner/storage/schema.h"

namespace slipway::planner {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;
using ::slipway::testkit::StatusIs;
using ::testing::IsEmpty;

class SqlitePlanStoreTest : public ::testing::Test {
 protected:
  SqlitePlanStoreTest() {
    project_.id = "shop";
    project_.title = "Shop";
    project_.plan_tier = "local";
    project_.policy.parallel_max = 3;
    project_.version = 1;
    project_.create_time = clock_.Now();
    EXPECT_OK(
        store_.CreateProject(project_, "", ProjectChanged("projects/shop", "created", {}, "")));
  }

  absl::StatusOr<PlanHead> Create(const std::string& request_id = "") {
    PlanHead head;
    head.project = "shop";
    head.id = "p";
    head.title = "P";
    head.create_time = clock_.Now();
    head.update_time = clock_.Now();
    return store_.CreatePlan({.head = head,
                              .spec = "spec",
                              .content = std::nullopt,
                              .request_id = request_id,
                              .actor = "ada"});
  }

  int64_t EventCount() { return log_->Latest().value(); }

  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
  std::unique_ptr<sqlite::Database> database_ =
      sqlite::Database::Open(":memory:", {.migrations = kMigrations}).value();
  std::unique_ptr<events::EventLog> log_ =
      events::EventLog::Open(*database_, ids_, "planner").value();
  SqlitePlanStore store_{*database_, *log_, clock_};
  Project project_;
};

TEST_F(SqlitePlanStoreTest, ProjectSurvives) {
  EXPECT_THAT(store_.GetProject("shop"), IsOkAndHolds(project_));
  EXPECT_THAT(store_.GetProject("ghost"), FailsWithReason("PROJECT_UNKNOWN"));
}

TEST_F(SqlitePlanStoreTest, NewPlanHasADraftAndABranchOfItsOwnName) {
  ASSERT_OK_AND_ASSIGN(const PlanHead first, Create("r1"));
  ASSERT_OK_AND_ASSIGN(const PlanHead second, Create("r2"));
  ASSERT_OK_AND_ASSIGN(const PlanHead repeat, Create("r1"));

  EXPECT_EQ(first.branch, "plan/p");
  EXPECT_EQ(second.id, "p-2");
  EXPECT_EQ(second.branch, "plan/p-2");
  EXPECT_EQ(repeat, first);
  EXPECT_THAT(store_.GetSpec("shop", "p"), IsOkAndHolds("spec"));
  EXPECT_EQ(store_.GetDraft("shop", "p")->round, 1);
}

TEST_F(SqlitePlanStoreTest, RefusedChangeLeavesNoTrace) {
  ASSERT_OK_AND_ASSIGN(const PlanHead before, Create());
  const int64_t events = EventCount();

  const auto changed = store_.ChangePlan("shop", "p", [](PlanChange& change) {
    change.head.failure = "x";
    change.events.push_back(ProjectChanged("projects/shop", "updated", {}, ""));
    return absl::AbortedError("no");
  });

  EXPECT_THAT(changed, StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(store_.GetHead("shop", "p"), IsOkAndHolds(before));
  EXPECT_EQ(EventCount(), events);
}

TEST_F(SqlitePlanStoreTest, StepThatIsNotInTheTableIsNotStored) {
  ASSERT_OK(Create());
  const auto changed = store_.ChangePlan("shop", "p", [](PlanChange& change) {
    change.head.state = PlanState::kRunning;
    return absl::OkStatus();
  });
  EXPECT_THAT(changed, StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(store_.GetHead("shop", "p")->state, PlanState::kDrafting);
}

TEST_F(SqlitePlanStoreTest, DraftSurvivesUntilItIsDropped) {
  ASSERT_OK(Create());
  const Draft draft = {.round = 2,
                       .attempt = 3,
                       .call_id = "plan:x:draft:2:3",
                       .call_pending = true,
                       .refused_reply = "{",
                       .problem = "REPLY_TRUNCATED: x",
                       .context_tokens = 9,
                       .unexplained = 1,
                       .waits = 4};
  ASSERT_OK(store_.ChangePlan("shop", "p", [&](PlanChange& change) {
    change.draft = draft;
    return absl::OkStatus();
  }));
  EXPECT_THAT(store_.GetDraft("shop", "p"), IsOkAndHolds(draft));

  ASSERT_OK(store_.ChangePlan("shop", "p", [](PlanChange& change) {
    change.head.state = PlanState::kRejected;
    change.draft.reset();
    return absl::OkStatus();
  }));
  EXPECT_THAT(store_.GetDraft("shop", "p"), FailsWithReason("PLAN_STATE"));
}

TEST_F(SqlitePlanStoreTest, EveryVersionIsKept) {
  ASSERT_OK(Create());
  for (int version = 1; version <= 3; ++version) {
    ASSERT_OK(store_.ChangePlan("shop", "p", [&](PlanChange& change) {
      change.head.state = PlanState::kProposed;
      change.head.version = version;
      change.content.emplace().summary = std::to_string(version);
      return absl::OkStatus();
    }));
  }
  EXPECT_EQ(store_.GetContent("shop", "p", 1)->summary, "1");
  EXPECT_EQ(store_.GetContent("shop", "p", 3)->summary, "3");
  EXPECT_THAT(store_.GetContent("shop", "p", 4), FailsWithReason("VERSION_UNKNOWN"));
}

TEST_F(SqlitePlanStoreTest, StartOrderAndApprovedProjectAreKept) {
  ASSERT_OK(Create());
  for (const PlanState state : {PlanState::kProposed, PlanState::kApproved}) {
    ASSERT_OK(store_.ChangePlan("shop", "p", [&](PlanChange& change) {
      change.head.state = state;
      if (state == PlanState::kApproved) {
        change.approved_with = project_;
        change.start_ordered = true;
      }
      return absl::OkStatus();
    }));
  }
  Project changed = project_;
  changed.policy.parallel_max = 8;
  ASSERT_OK(store_.UpdateProject(changed, ProjectChanged("projects/shop", "updated", {}, "")));

  EXPECT_EQ(store_.ListOrders()->size(), 1);
  EXPECT_EQ(store_.GetApprovedProject("shop", "p")->policy.parallel_max, 3);
  EXPECT_EQ(store_.GetProject("shop")->policy.parallel_max, 8);
  ASSERT_OK(store_.ChangePlan("shop", "p", [](PlanChange& change) {
    EXPECT_TRUE(change.start_ordered);
    change.start_ordered = false;
    return absl::OkStatus();
  }));
  EXPECT_THAT(*store_.ListOrders(), IsEmpty());
}

TEST_F(SqlitePlanStoreTest, StaleProjectVersionIsRefused) {
  Project stale = project_;
  stale.version = 7;
  EXPECT_THAT(store_.UpdateProject(stale, ProjectChanged("projects/shop", "updated", {}, "")),
              FailsWithReason("VERSION_MISMATCH"));
}

TEST_F(SqlitePlanStoreTest, CursorIsReplaced) {
  EXPECT_THAT(store_.GetCursor("dispatcher"), IsOkAndHolds(""));
  ASSERT_OK(store_.SetCursor("dispatcher", "a"));
  ASSERT_OK(store_.SetCursor("dispatcher", "b"));
  EXPECT_THAT(store_.GetCursor("dispatcher"), IsOkAndHolds("b"));
}

}  // namespace
}  // namespace slipway::planner
