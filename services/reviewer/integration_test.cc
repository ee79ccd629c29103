#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/reviewer/storage/sqlite_review_store.h"
#include "services/reviewer/testing/review_fixture.h"

namespace slipway::reviewer {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testkit::FailsWithReason;
using Policy = common::v1::IntegrationPolicy;

class IntegrationTest : public ReviewFixture {
 protected:
  // A plan with one landed task that adds a file.
  void LandPlan(const common::v1::ProjectPolicy& policy) {
    const auto plan = OpenPlan(policy);
    ASSERT_OK(plan);
    Submit("import", 1, plan->base_commit(),
           [](const std::string& work) { WriteFile(work + "/src/csv.py", "import csv\n"); });
    landed_ = Land(Attempt("import", 1));
  }

  v1::Candidate Candidate() {
    const auto built = BuildIntegration();
    EXPECT_OK(built);
    EXPECT_TRUE(built.ok() && built->has_candidate());
    return built.ok() ? built->candidate() : v1::Candidate();
  }

  std::string LastState() {
    const std::vector<events::v1::Event> events = Events("integration.changed");
    return events.empty() ? "" : events.back().payload().integration_changed().state();
  }

  // Leaves the target where nobody has it checked out.
  void CheckOutAnotherBranch() { Git(source_, {"checkout", "-q", "-b", "elsewhere"}); }

  v1::Candidate landed_;
};

TEST_F(IntegrationTest, BranchesArePushedWithTheCommandToFinish) {
  LandPlan({});
  const std::string head = source_head();
  const v1::Candidate candidate = Candidate();
  EXPECT_EQ(candidate.base(), head);
  EXPECT_EQ(Git(mirror(), {"log", "-1", "--format=%P", candidate.commit()}),
            head + " " + landed_.commit());
  ASSERT_OK_AND_ASSIGN(const auto merged, Merge(candidate.name()));
  EXPECT_EQ(source_head(), head);
  EXPECT_EQ(Git(source_, {"rev-parse", "plan/2026-11-21-csv"}), landed_.commit());
  EXPECT_EQ(Git(source_, {"rev-parse", "integration/2026-11-21-csv"}), candidate.commit());
  EXPECT_EQ(LastState(), "PUSHED");

  const std::string command = "git -C '" + source_ + "' merge --ff-only integration/2026-11-21-csv";
  EXPECT_THAT(merged.merged().detail(), HasSubstr(command));
  Git(source_, {"merge", "-q", "--ff-only", "integration/2026-11-21-csv"});
  EXPECT_EQ(source_head(), candidate.commit());
  EXPECT_EQ(Git(source_, {"status", "--porcelain"}), "");
  EXPECT_EQ(Git(source_, {"fsck", "--strict"}), "");

  ASSERT_OK_AND_ASSIGN(const auto again, BuildIntegration());
  EXPECT_EQ(again.merged().commit(), candidate.commit());
}

TEST_F(IntegrationTest, TargetMovesWhenNobodyHasItCheckedOut) {
  LandPlan(WithMode(Policy::MODE_MERGE));
  CheckOutAnotherBranch();
  const v1::Candidate candidate = Candidate();
  ASSERT_OK_AND_ASSIGN(const auto merged, Merge(candidate.name()));
  EXPECT_EQ(merged.merged().branch(), "refs/heads/main");
  EXPECT_EQ(source_head(), candidate.commit());
  EXPECT_EQ(LastState(), "MERGED");
  ASSERT_OK_AND_ASSIGN(const auto again, Merge(candidate.name()));
  EXPECT_EQ(again.merged().commit(), candidate.commit());
}

TEST_F(IntegrationTest, CheckedOutTargetStaysAndItsWorkTreeClean) {
  LandPlan(WithMode(Policy::MODE_MERGE));
  const std::string head = source_head();
  ASSERT_OK_AND_ASSIGN(const auto merged, Merge(Candidate().name()));
  EXPECT_EQ(source_head(), head);
  EXPECT_EQ(Git(source_, {"status", "--porcelain"}), "");
  EXPECT_EQ(merged.merged().branch(), "refs/heads/integration/2026-11-21-csv");
  EXPECT_THAT(merged.merged().detail(), HasSubstr("merge --ff-only"));
}

TEST_F(IntegrationTest, MirrorKeepsEverythingWhenNothingIsToBePushed) {
  LandPlan(WithMode(Policy::MODE_NONE));
  const std::string refs = Git(source_, {"for-each-ref"});
  const v1::Candidate candidate = Candidate();
  ASSERT_OK(Merge(candidate.name()));
  EXPECT_EQ(Git(source_, {"for-each-ref"}), refs);
  EXPECT_EQ(Git(mirror(), {"rev-parse", "integration/2026-11-21-csv"}), candidate.commit());
}

TEST_F(IntegrationTest, WhatStaysInTheMirrorIsNotMergedWithTheTarget) {
  LandPlan(WithMode(Policy::MODE_NONE));
  const std::string begin = source_head();
  // The target goes on, in the way of the plan, and then goes away.
  WriteFile(source_ + "/src/csv.py", "something else\n");
  CommitAll(source_, "clash");

  const v1::Candidate candidate = Candidate();

  EXPECT_EQ(candidate.base(), begin);
  EXPECT_EQ(candidate.tree(), TreeOf(mirror(), landed_.commit()));
  EXPECT_EQ(Git(mirror(), {"log", "-1", "--format=%P %s", candidate.commit()}),
            absl::StrCat(begin, " ", landed_.commit(), " Conclude plan/2026-11-21-csv"));
  ASSERT_OK(base::RemoveTree(source_));
  ASSERT_OK_AND_ASSIGN(const auto merged, Merge(candidate.name()));
  EXPECT_EQ(merged.merged().branch(), "refs/heads/integration/2026-11-21-csv");
  EXPECT_EQ(LastState(), "MERGED");
  ASSERT_OK_AND_ASSIGN(const auto again, BuildIntegration());
  EXPECT_EQ(again.merged().commit(), candidate.commit());
}

TEST_F(IntegrationTest, APlanThatChangedNothingStaysInTheMirrorAsItIs) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(WithMode(Policy::MODE_NONE)));
  WriteFile(source_ + "/NEWS.md", "news\n");
  CommitAll(source_, "news");
  ASSERT_OK_AND_ASSIGN(const auto built, BuildIntegration());
  EXPECT_EQ(built.merged().commit(), plan.base_commit());
}

// A clone without the history before its last commits, which its `shallow` file says.
TEST_F(IntegrationTest, AShallowRepositoryIsServedLikeAnyOther) {
  for (int i = 0; i < 4; ++i) {
    WriteFile(source_ + "/NEWS.md", absl::StrCat("news ", i, "\n"));
    CommitAll(source_, "news");
  }
  const std::string whole = source_;
  source_ = directory_.File("shallow");
  Git(directory_.path(), {"clone", "-q", "--depth=2", "file://" + whole, source_});
  LandPlan(WithMode(Policy::MODE_MERGE));
  WriteFile(source_ + "/NEWS.md", "newer\n");
  const git::Oid moved = CommitAll(source_, "newer");
  CheckOutAnotherBranch();

  const v1::Candidate candidate = Candidate();
  EXPECT_EQ(candidate.base(), moved.ToHex());
  ASSERT_OK(Merge(candidate.name()));

  EXPECT_EQ(source_head(), candidate.commit());
  Git(source_, {"fsck", "--strict"});
  EXPECT_EQ(Git(source_, {"show", "main:src/csv.py"}), "import csv");
}

TEST_F(IntegrationTest, MovedTargetIsMergedAsGitWould) {
  LandPlan(WithMode(Policy::MODE_MERGE));
  const v1::Candidate early = Candidate();
  WriteFile(source_ + "/NEWS.md", "news\n");
  const git::Oid moved = CommitAll(source_, "news");
  CheckOutAnotherBranch();
  EXPECT_THAT(Merge(early.name()), FailsWithReason("BRANCH_MOVED"));
  EXPECT_EQ(source_head(), moved.ToHex());

  const v1::Candidate late = Candidate();
  EXPECT_EQ(late.base(), moved.ToHex());
  EXPECT_EQ(late.method(), "THREE_WAY");
  EXPECT_EQ(late.tree(),
            Git(mirror(), {"merge-tree", "--write-tree", moved.ToHex(), landed_.commit()}));
  ASSERT_OK(Merge(late.name()));
  EXPECT_EQ(source_head(), late.commit());
}

TEST_F(IntegrationTest, ConflictWithTheTargetIsShown) {
  LandPlan({});
  WriteFile(source_ + "/src/csv.py", "something else\n");
  CommitAll(source_, "clash");
  ASSERT_OK_AND_ASSIGN(const auto built, BuildIntegration());
  ASSERT_TRUE(built.has_conflict());
  EXPECT_EQ(built.conflict().paths(0).path(), "src/csv.py");
  EXPECT_EQ(built.conflict().paths(0).kind(), "ADD_ADD");
  EXPECT_EQ(LastState(), "CONFLICTED");
}

TEST_F(IntegrationTest, ForeignBranchOfThatNameIsNotTouched) {
  LandPlan({});
  Git(source_, {"commit", "-q", "--allow-empty", "-m", "other"});
  Git(source_, {"branch", "integration/2026-11-21-csv"});
  Git(source_, {"reset", "-q", "--hard", "HEAD~1"});
  const std::string before = Git(source_, {"rev-parse", "integration/2026-11-21-csv"});
  EXPECT_THAT(Merge(Candidate().name()), FailsWithReason("BRANCH_TAKEN"));
  EXPECT_EQ(Git(source_, {"rev-parse", "integration/2026-11-21-csv"}), before);
}

TEST_F(IntegrationTest, PlanWithoutChangesHasNothingToIntegrate) {
  ASSERT_OK(OpenPlan());
  ASSERT_OK_AND_ASSIGN(const auto built, BuildIntegration());
  ASSERT_TRUE(built.has_merged());
  EXPECT_EQ(built.merged().commit(), source_head());
}

TEST_F(IntegrationTest, EvidenceIsRequired) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(WithValidator()));
  Submit("import", 1, plan.base_commit(),
         [](const std::string& work) { WriteFile(work + "/a.txt", "a\n"); });
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("import", 1)));
  ASSERT_OK(Record(built.candidate(), true, Attempt("import", 2)));
  ASSERT_OK(Judge(built.candidate()));
  ASSERT_OK(Merge(built.candidate().name()));
  WriteFile(source_ + "/NEWS.md", "news\n");
  CommitAll(source_, "news");
  const v1::Candidate candidate = Candidate();
  EXPECT_THAT(candidate.validators(), SizeIs(1));
  EXPECT_THAT(Merge(candidate.name()), FailsWithReason("EVIDENCE_MISSING"));
  ASSERT_OK(Record(candidate, true, Attempt("integration", 3)));
  EXPECT_OK(Merge(candidate.name()));
}

class RecoveryTest : public IntegrationTest {
 protected:
  // Stops the reviewer and writes the intent that a killed one would have left.
  void LeaveIntent(const LandIntent& intent) {
    server_ = nullptr;
    const auto store = SqliteReviewStore::Open(directory_.File("reviewer.db"), clock_, ids_);
    ASSERT_OK(store);
    ASSERT_OK((*store)->AddIntent(intent));
  }

  std::vector<LandIntent> Intents() {
    server_ = nullptr;
    const auto store = SqliteReviewStore::Open(directory_.File("reviewer.db"), clock_, ids_);
    EXPECT_OK(store);
    return (*store)->ListIntents().value();
  }

  v1::Candidate Judged() {
    const auto plan = OpenPlan();
    EXPECT_OK(plan);
    Submit("import", 1, plan->base_commit(),
           [](const std::string& work) { WriteFile(work + "/a.txt", "a\n"); });
    const auto built = Build(Attempt("import", 1));
    EXPECT_OK(built);
    EXPECT_OK(Judge(built->candidate()));
    return built->candidate();
  }

  LandIntent IntentOf(const v1::Candidate& candidate) {
    return {.candidate = candidate.name(),
            .ref = "refs/heads/plan/2026-11-21-csv",
            .expected = candidate.base(),
            .target = candidate.commit(),
            .approver = ""};
  }
};

TEST_F(RecoveryTest, LandingCutOffAfterTheSwapIsMarked) {
  const v1::Candidate candidate = Judged();
  LeaveIntent(IntentOf(candidate));
  Git(mirror(), {"update-ref", "refs/heads/plan/2026-11-21-csv", candidate.commit()});
  StartReviewer();
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("import", 1)));
  EXPECT_EQ(built.merged().commit(), candidate.commit());
  EXPECT_THAT(Events("change.merged"), SizeIs(1));
  EXPECT_THAT(Intents(), IsEmpty());
}

TEST_F(RecoveryTest, LandingCutOffBeforeTheSwapIsFinished) {
  const v1::Candidate candidate = Judged();
  LeaveIntent(IntentOf(candidate));
  StartReviewer();
  EXPECT_EQ(plan_tip(), candidate.commit());
  EXPECT_THAT(Events("change.merged"), SizeIs(1));
  EXPECT_THAT(Intents(), IsEmpty());
}

TEST_F(RecoveryTest, LandingOvertakenByAnotherIsAbandoned) {
  const v1::Candidate candidate = Judged();
  LeaveIntent(IntentOf(candidate));
  const std::string other = Git(
      mirror(), {"commit-tree", "-p", candidate.base(), "-m", "x", candidate.base() + "^{tree}"});
  Git(mirror(), {"update-ref", "refs/heads/plan/2026-11-21-csv", other});
  StartReviewer();
  EXPECT_EQ(plan_tip(), other);
  EXPECT_THAT(Events("change.merged"), IsEmpty());
  EXPECT_THAT(Merge(candidate.name()), FailsWithReason("BRANCH_MOVED"));
  EXPECT_THAT(Intents(), IsEmpty());
}

TEST_F(RecoveryTest, IntegrationCutOffAfterThePushIsMarked) {
  LandPlan(WithMode(Policy::MODE_MERGE));
  CheckOutAnotherBranch();
  const v1::Candidate candidate = Candidate();
  LandIntent intent = IntentOf(candidate);
  intent.ref = "refs/heads/main";
  LeaveIntent(intent);
  Git(source_, {"fetch", "-q", mirror(), candidate.commit() + ":refs/heads/main"});
  StartReviewer();
  ASSERT_OK_AND_ASSIGN(const auto built, BuildIntegration());
  EXPECT_EQ(built.merged().commit(), candidate.commit());
  EXPECT_EQ(LastState(), "MERGED");
}

TEST_F(RecoveryTest, StepsGoOnAfterARestart) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(WithValidator()));
  StartReviewer();
  Submit("import", 1, plan.base_commit(),
         [](const std::string& work) { WriteFile(work + "/a.txt", "a\n"); });
  StartReviewer();
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("import", 1)));
  StartReviewer();
  ASSERT_OK(Record(built.candidate(), true, Attempt("import", 2)));
  StartReviewer();
  ASSERT_OK(Judge(built.candidate()));
  StartReviewer();
  ASSERT_OK(Merge(built.candidate().name()));
  StartReviewer();
  ASSERT_OK_AND_ASSIGN(const auto again, Merge(built.candidate().name()));
  EXPECT_EQ(again.merged().commit(), plan_tip());
}

}  // namespace
}  // namespace slipway::reviewer
