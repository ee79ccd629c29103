#include "services/reviewer/testing/review_fixture.h"

namespace slipway::reviewer {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RollbackTest : public ReviewFixture {
 protected:
  void SetUp() override {
    ReviewFixture::SetUp();
    base_ = OpenPlan().value().base_commit();
    for (const char* task : {"one", "two", "three"}) LandFile(task);
  }

  void LandFile(const std::string& task) {
    const std::string base = plan_tip();
    Submit(task, 1, base,
           [&](const std::string& work) { WriteFile(work + "/src/" + task + ".py", task + "\n"); });
    commits_[task] = Land(Attempt(task, 1)).commit();
  }

  static std::string TaskName(const std::string& task) {
    return absl::StrCat(kPlan, "/tasks/", task);
  }

  absl::StatusOr<v1::RollBackResponse> RollBack(const std::string& commit,
                                                const std::string& task = "") {
    v1::RollBackRequest request;
    request.set_plan(kPlan);
    if (task.empty()) {
      request.set_commit(commit);
    } else {
      request.set_task(task);
    }
    request.set_reason("it broke the import");
    return rpc::CallUnary(*reviewer_, &ReviewerStub::RollBack, request, Patiently());
  }

  std::string Files() {
    return Git(mirror(), {"ls-tree", "-r", "--name-only", "plan/2026-11-21-csv", "src/"});
  }

  std::string base_;
  std::map<std::string, std::string> commits_;
};

TEST_F(RollbackTest, ABranchIsAsItWasAfterATaskAndKeepsItsHistory) {
  const std::string before = plan_tip();

  ASSERT_OK_AND_ASSIGN(const v1::RollBackResponse response, RollBack("", TaskName("one")));

  EXPECT_EQ(response.from(), before);
  EXPECT_EQ(response.target(), commits_["one"]);
  EXPECT_EQ(response.commit(), plan_tip());
  EXPECT_EQ(response.tree(), TreeOf(mirror(), commits_["one"]));
  EXPECT_THAT(response.undone_tasks(), ElementsAre(TaskName("three"), TaskName("two")));
  EXPECT_THAT(response.restored_tasks(), IsEmpty());
  EXPECT_EQ(TreeOf(mirror(), plan_tip()), TreeOf(mirror(), commits_["one"]));
  EXPECT_EQ(Git(mirror(), {"rev-parse", plan_tip() + "^"}), before);
  EXPECT_THAT(Git(mirror(), {"log", "-1", "--format=%B", plan_tip()}),
              HasSubstr("it broke the import"));
  const std::vector<events::v1::Event> events = Events("branch.returned");
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].payload().branch_returned().to(), plan_tip());
  EXPECT_THAT(events[0].payload().branch_returned().undone_tasks(), SizeIs(2));
}

TEST_F(RollbackTest, ARollbackIsTakenBackByARollback) {
  const std::string before = plan_tip();
  ASSERT_OK(RollBack("base"));
  EXPECT_EQ(TreeOf(mirror(), plan_tip()), TreeOf(mirror(), base_));

  ASSERT_OK_AND_ASSIGN(const v1::RollBackResponse response, RollBack(before.substr(0, 12)));

  EXPECT_EQ(TreeOf(mirror(), plan_tip()), TreeOf(mirror(), before));
  EXPECT_THAT(response.undone_tasks(), IsEmpty());
  EXPECT_THAT(response.restored_tasks(), SizeIs(3));
}

TEST_F(RollbackTest, AStateThatTheBranchIsInIsLeftAsItIs) {
  ASSERT_OK(RollBack(commits_["one"]));
  const std::string tip = plan_tip();
  ASSERT_OK_AND_ASSIGN(const v1::RollBackResponse again, RollBack(commits_["one"]));
  EXPECT_EQ(again.commit(), again.from());
  EXPECT_EQ(plan_tip(), tip);
  EXPECT_THAT(Events("branch.returned"), SizeIs(1));
}

TEST_F(RollbackTest, WorkThatWasUnderWayIsMergedWithoutWhatWasTakenBack) {
  Submit("four", 1, plan_tip(),
         [&](const std::string& work) { WriteFile(work + "/src/four.py", "four\n"); });
  ASSERT_OK(RollBack(commits_["one"]));

  Land(Attempt("four", 1));

  EXPECT_EQ(Files(), "src/app.py\nsrc/four.py\nsrc/one.py\nsrc/util.py");
  ASSERT_OK_AND_ASSIGN(const v1::RollBackResponse response, RollBack("base"));
  EXPECT_THAT(response.undone_tasks(), ElementsAre(TaskName("four"), TaskName("one")));
}

TEST_F(RollbackTest, OnlyStatesOfTheBranchAreReached) {
  EXPECT_THAT(RollBack(std::string(40, 'a')), FailsWithReason("COMMIT_UNKNOWN"));
  EXPECT_THAT(RollBack("main"), FailsWithReason("OID_INVALID"));
  EXPECT_THAT(RollBack("HEAD~1"), FailsWithReason("OID_INVALID"));
  EXPECT_THAT(RollBack(commits_["one"].substr(0, 6)), FailsWithReason("OID_INVALID"));
  EXPECT_THAT(RollBack(""), FailsWithReason("OID_INVALID"));
  EXPECT_THAT(RollBack("", TaskName("none")), FailsWithReason("TASK_NOT_MERGED"));
  EXPECT_THAT(RollBack("", "projects/shop/plans/other/tasks/one"),
              FailsWithReason("TASK_NOT_MERGED"));
  // A commit of the repository that the branch never was at.
  const std::string foreign = Git(mirror(), {"commit-tree", "-m", "x", base_ + "^{tree}"});
  EXPECT_THAT(RollBack(foreign), FailsWithReason("COMMIT_UNKNOWN"));
  EXPECT_EQ(plan_tip(), commits_["three"]);
}

TEST_F(RollbackTest, AnIntegratedPlanIsNotTakenBack) {
  ASSERT_OK_AND_ASSIGN(const v1::CreateCandidateResponse built, BuildIntegration());
  ASSERT_OK(Merge(built.candidate().name()));
  EXPECT_THAT(RollBack("base"), FailsWithReason("PLAN_INTEGRATED"));
}

TEST_F(RollbackTest, ARestartEndsWhatAKillLeftOpen) {
  ASSERT_OK(RollBack(commits_["one"]));
  const std::string tip = plan_tip();
  server_ = nullptr;
  // As a kill between the move and its mark would leave it, then as one before the move.
  const std::string database = directory_.File("reviewer.db");
  for (const char* moved : {"yes", "no"}) {
    const absl::StatusOr<base::CommandResult> edited =
        base::RunCommand({.argv = {"python3", "-c",
                                   "import sqlite3,sys\nd=sqlite3.connect(sys.argv[1])\n"
                                   "d.execute('UPDATE rollback SET open=1')\nd.commit()\n",
                                   database},
                          .inherit_env = true},
                         absl::Seconds(30));
    ASSERT_OK(edited);
    ASSERT_TRUE(edited->exit.ok()) << edited->err;
    if (std::string(moved) == "no") {
      Git(mirror(), {"update-ref", "refs/heads/plan/2026-11-21-csv", commits_["three"]});
    }
    StartReviewer();
    EXPECT_EQ(plan_tip(), tip) << moved;
    server_ = nullptr;
  }
  StartReviewer();
  EXPECT_THAT(Events("branch.returned"), SizeIs(3));  // One more for each end.
}

}  // namespace
}  // namespace slipway::reviewer
