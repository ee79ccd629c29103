#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/reviewer/testing/review_fixture.h"

namespace slipway::reviewer {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using testkit::FailsWithReason;

class ReviewTest : public ReviewFixture {};

std::function<void(const std::string&)> Write(const std::string& path, const std::string& text) {
  return [path, text](const std::string& work) {
    EXPECT_OK(
        base::MakeDirectories((work + "/" + path).substr(0, (work + "/" + path).rfind('/')), 0755));
    EXPECT_OK(base::WriteFileAtomic(work + "/" + path, text, 0644));
  };
}

TEST_F(ReviewTest, AcceptedChangeTravelsFromPatchToBranch) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(WithValidator()));
  EXPECT_EQ(plan.base_commit(), source_head());
  const std::string patch = PatchOf(plan.base_commit(), Write("src/csv.py", "import csv\n"));
  v1::InspectRequest request = InspectionOf("import", 1, plan.base_commit(), patch);
  request.set_expected_tree(expected_tree_);
  ASSERT_OK_AND_ASSIGN(const v1::InspectResponse inspected, Inspect(request));
  ASSERT_TRUE(inspected.has_accepted()) << inspected.ShortDebugString();
  EXPECT_EQ(inspected.accepted().tree(), expected_tree_);
  EXPECT_EQ(inspected.accepted().added(), 1);
  EXPECT_THAT(inspected.accepted().paths(), ElementsAre("src/csv.py"));
  EXPECT_EQ(Git(mirror(), {"rev-parse", "refs/agents/2026-11-21-csv/import/1"}),
            inspected.accepted().commit());

  ASSERT_OK_AND_ASSIGN(const auto built, Build(request.attempt()));
  const v1::Candidate& candidate = built.candidate();
  EXPECT_EQ(candidate.method(), "FAST_PATH");
  EXPECT_EQ(candidate.tree(), expected_tree_);
  EXPECT_EQ(candidate.base(), plan.base_commit());
  EXPECT_THAT(candidate.validators(), SizeIs(1));
  EXPECT_THAT(Merge(candidate.name()), FailsWithReason("EVIDENCE_MISSING"));
  ASSERT_OK_AND_ASSIGN(const auto evidence, Record(candidate, true, Attempt("import", 2)));
  EXPECT_TRUE(evidence.passed());
  EXPECT_THAT(Merge(candidate.name()), FailsWithReason("VERDICT_MISSING"));
  ASSERT_OK_AND_ASSIGN(const auto verdict, Judge(candidate));
  EXPECT_EQ(verdict.verdict(), v1::VERDICT_PASSED);
  EXPECT_EQ(plan_tip(), plan.base_commit());

  ASSERT_OK_AND_ASSIGN(const auto merged, Merge(candidate.name()));
  EXPECT_EQ(merged.merged().commit(), candidate.commit());
  EXPECT_EQ(plan_tip(), candidate.commit());
  EXPECT_EQ(TreeOf(mirror(), candidate.commit()), expected_tree_);
  EXPECT_EQ(Git(mirror(), {"rev-list", "--count", plan.base_commit() + "..plan/2026-11-21-csv"}),
            "1");
  EXPECT_EQ(Git(mirror(), {"fsck", "--strict"}), "");
  const std::string message = Git(mirror(), {"log", "-1", "--format=%B", candidate.commit()});
  EXPECT_THAT(message, StartsWith("Change import\n"));
  EXPECT_THAT(message, HasSubstr("Slipway-Task: " + std::string(kPlan) + "/tasks/import"));
  EXPECT_EQ(Git(mirror(), {"log", "-1", "--format=%an <%ae>", candidate.commit()}),
            "Slipway <slipway@localhost>");

  // A repeat of any step changes nothing.
  ASSERT_OK_AND_ASSIGN(const auto again, Merge(candidate.name()));
  EXPECT_EQ(again.merged().commit(), candidate.commit());
  ASSERT_OK_AND_ASSIGN(const auto rebuilt, Build(request.attempt()));
  EXPECT_EQ(rebuilt.merged().commit(), candidate.commit());
  EXPECT_THAT(Events("change.merged"), SizeIs(1));
  EXPECT_EQ(Events("change.merged")[0].payload().change_merged().to(), candidate.commit());
}

TEST_F(ReviewTest, SamePatchGetsSameAnswerAndAnotherIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  const v1::InspectRequest request = InspectionOf(
      "import", 1, plan.base_commit(), PatchOf(plan.base_commit(), Write("a.txt", "a\n")));
  ASSERT_OK_AND_ASSIGN(const v1::InspectResponse first, Inspect(request));
  clock_.Advance(absl::Minutes(5));
  StartReviewer();
  ASSERT_OK_AND_ASSIGN(const v1::InspectResponse second, Inspect(request));
  EXPECT_EQ(first.accepted().commit(), second.accepted().commit());
  v1::InspectRequest other = request;
  other.set_patch(PatchOf(plan.base_commit(), Write("a.txt", "b\n")));
  EXPECT_THAT(Inspect(other), FailsWithReason("PATCH_DIFFERS"));
  EXPECT_THAT(Events("patch."), SizeIs(1));
}

TEST_F(ReviewTest, BadRequestsAreNamed) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  v1::InspectRequest request = InspectionOf("import", 1, plan.base_commit(), "x");
  request.set_epoch(2);
  EXPECT_THAT(Inspect(request), FailsWithReason("NAME_INVALID"));
  EXPECT_THAT(Inspect(InspectionOf("import", 1, std::string(40, 'a'), "x")),
              FailsWithReason("BASE_UNKNOWN"));
  EXPECT_THAT(Inspect(InspectionOf("import", 1, "main", "x")), FailsWithReason("OID_INVALID"));
  request = InspectionOf("import", 1, plan.base_commit(), "x");
  request.set_attempt("projects/shop/plans/other/tasks/import/attempts/1");
  EXPECT_THAT(Inspect(request), FailsWithReason("PLAN_UNKNOWN"));
  EXPECT_THAT(Build(Attempt("import", 9)), FailsWithReason("CHANGE_UNKNOWN"));
  EXPECT_THAT(Merge(std::string(kPlan) + "/candidates/c0"), FailsWithReason("CANDIDATE_UNKNOWN"));
}

TEST_F(ReviewTest, GarbageIsRefusedWithTheParsersReason) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  ASSERT_OK_AND_ASSIGN(const v1::InspectResponse response,
                       Inspect(InspectionOf("import", 1, plan.base_commit(), "not a patch\n")));
  ASSERT_TRUE(response.has_refused());
  EXPECT_FALSE(response.refused().human_may_accept());
  EXPECT_EQ(response.refused().reasons(0).code(), "GARBAGE");
  EXPECT_THAT(Build(Attempt("import", 1)), FailsWithReason("CHANGE_UNKNOWN"));
}

TEST_F(ReviewTest, AnnouncedTreeMustBeTheResult) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  v1::InspectRequest request = InspectionOf("import", 1, plan.base_commit(),
                                            PatchOf(plan.base_commit(), Write("a.txt", "a\n")));
  request.set_expected_tree(std::string(40, 'b'));
  ASSERT_OK_AND_ASSIGN(const v1::InspectResponse response, Inspect(request));
  ASSERT_TRUE(response.has_refused());
  EXPECT_EQ(response.refused().reasons(0).code(), "TREE_MISMATCH");
}

TEST_F(ReviewTest, QuarantinedPatchPassesOnlyWithAnApprover) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  v1::InspectRequest request =
      InspectionOf("import", 1, plan.base_commit(),
                   PatchOf(plan.base_commit(), Write(".github/workflows/ci.yml", "on: push\n")));
  ASSERT_OK_AND_ASSIGN(const v1::InspectResponse held, Inspect(request));
  ASSERT_TRUE(held.has_refused());
  EXPECT_TRUE(held.refused().human_may_accept());
  EXPECT_EQ(held.refused().reasons(0).code(), "CI");

  request.set_approver("ada");
  ASSERT_OK_AND_ASSIGN(const v1::InspectResponse waived, Inspect(request));
  ASSERT_TRUE(waived.has_accepted());
  EXPECT_THAT(Git(mirror(), {"log", "-1", "--format=%B", waived.accepted().commit()}),
              HasSubstr("Slipway-Approver: ada"));
}

TEST_F(ReviewTest, ApproverCannotWaiveWhatNobodyMay) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  v1::InspectRequest request =
      InspectionOf("import", 1, plan.base_commit(),
                   PatchOf(plan.base_commit(), Write(".gitattributes", "* filter=x\n")));
  request.set_approver("ada");
  ASSERT_OK_AND_ASSIGN(const v1::InspectResponse response, Inspect(request));
  ASSERT_TRUE(response.has_refused());
  EXPECT_FALSE(response.refused().human_may_accept());
  EXPECT_EQ(response.refused().reasons(0).code(), "PROTECTED");
}

TEST_F(ReviewTest, ChangesOfDistantLinesMergeToTheTreeOfGit) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  const std::string& base = plan.base_commit();
  const auto ours = Submit("first", 1, base, Write("src/app.py", "ONE\ntwo\nthree\nfour\nfive\n"));
  const auto theirs =
      Submit("second", 1, base, Write("src/app.py", "one\ntwo\nthree\nfour\nFIVE\n"));
  Land(Attempt("first", 1));
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("second", 1)));
  ASSERT_TRUE(built.has_candidate()) << built.ShortDebugString();
  EXPECT_EQ(built.candidate().method(), "THREE_WAY");
  EXPECT_EQ(built.candidate().base(), plan_tip());
  EXPECT_EQ(built.candidate().tree(),
            Git(mirror(), {"merge-tree", "--write-tree", ours.accepted().commit(),
                           theirs.accepted().commit()}));
}

TEST_F(ReviewTest, UntouchedPathsTakeTheFastPathToTheTreeOfGit) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  const std::string& base = plan.base_commit();
  const auto ours = Submit("first", 1, base, Write("src/app.py", "rewritten\n"));
  const auto theirs = Submit("second", 1, base, [](const std::string& work) {
    WriteFile(work + "/src/new/deep/file.py", "x = 1\n");
    EXPECT_OK(base::RemoveTree(work + "/README.md"));
  });
  Land(Attempt("first", 1));
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("second", 1)));
  EXPECT_EQ(built.candidate().method(), "FAST_PATH");
  EXPECT_EQ(built.candidate().tree(),
            Git(mirror(), {"merge-tree", "--write-tree", ours.accepted().commit(),
                           theirs.accepted().commit()}));
}

TEST_F(ReviewTest, ConflictComesBackWithItsHunks) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  const std::string& base = plan.base_commit();
  Submit("first", 1, base, Write("src/app.py", "one\ntwo\nTHREE\nfour\nfive\n"));
  Submit("second", 1, base, Write("src/app.py", "one\ntwo\n3\nfour\nfive\n"));
  Land(Attempt("first", 1));
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("second", 1)));
  ASSERT_TRUE(built.has_conflict());
  ASSERT_THAT(built.conflict().paths(), SizeIs(1));
  EXPECT_EQ(built.conflict().paths(0).path(), "src/app.py");
  EXPECT_EQ(built.conflict().paths(0).kind(), "CONTENT");
  EXPECT_THAT(built.conflict().paths(0).hunks(), HasSubstr("<<<<<<<"));
  EXPECT_THAT(built.conflict().paths(0).hunks(), HasSubstr("THREE"));
  EXPECT_EQ(built.conflict().base(), plan_tip());
  EXPECT_THAT(Events("candidate.conflicted"), SizeIs(1));
}

TEST_F(ReviewTest, CredentialsInConflictsAndInOutputAreNotHandedOn) {
  const std::string secret = std::string("AKIA") + "Q3EGRIZ7PLM2VW5T";
  WriteFile(source_ + "/keys.py", "key = \"" + secret + "\"\nregion = \"eu\"\n");
  CommitAll(source_, "a mistake");
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(WithValidator()));
  Submit("first", 1, plan.base_commit(), Write("keys.py", "region = \"eu\"\n"));
  Submit("second", 1, plan.base_commit(), Write("keys.py", "region = \"us\"\n"));
  ASSERT_OK_AND_ASSIGN(const auto first, Build(Attempt("first", 1)));
  v1::RecordEvidenceRequest evidence = EvidenceOf(first.candidate(), false, Attempt("first", 2));
  evidence.mutable_results(0)->set_output_tail("leaked: " + secret + "\n");
  evidence.mutable_results(0)->set_failures(0, "test[" + secret + "]");
  ASSERT_OK_AND_ASSIGN(const v1::RecordEvidenceResponse told, Record(evidence));
  EXPECT_THAT(told.feedback(), HasSubstr("leaked: [redacted: "));
  EXPECT_THAT(told.feedback(), Not(HasSubstr(secret)));

  ASSERT_OK(Record(first.candidate(), true, Attempt("first", 3)));
  Land(Attempt("first", 1));
  ASSERT_OK_AND_ASSIGN(const auto second, Build(Attempt("second", 1)));
  ASSERT_TRUE(second.has_conflict());
  EXPECT_THAT(second.conflict().paths(0).hunks(), HasSubstr("region"));
  EXPECT_THAT(second.conflict().paths(0).hunks(), Not(HasSubstr(secret)));
}

TEST_F(ReviewTest, CandidateOfAnOldTipCannotLand) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  const std::string& base = plan.base_commit();
  Submit("first", 1, base, Write("a.txt", "a\n"));
  Submit("second", 1, base, Write("b.txt", "b\n"));
  ASSERT_OK_AND_ASSIGN(const auto early, Build(Attempt("second", 1)));
  ASSERT_OK(Judge(early.candidate()));
  const v1::Candidate first = Land(Attempt("first", 1));
  EXPECT_THAT(Merge(early.candidate().name()), FailsWithReason("BRANCH_MOVED"));
  EXPECT_EQ(plan_tip(), first.commit());

  ASSERT_OK_AND_ASSIGN(const auto late, Build(Attempt("second", 1)));
  EXPECT_NE(late.candidate().name(), early.candidate().name());
  ASSERT_OK(Judge(late.candidate()));
  ASSERT_OK(Merge(late.candidate().name()));
  EXPECT_EQ(plan_tip(), late.candidate().commit());
}

TEST_F(ReviewTest, ChangeThatIsThereAlreadyLandsWithoutACommit) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  const std::string& base = plan.base_commit();
  Submit("first", 1, base, Write("a.txt", "a\n"));
  Submit("second", 1, base, Write("a.txt", "a\n"));
  const v1::Candidate first = Land(Attempt("first", 1));
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("second", 1)));
  EXPECT_EQ(built.candidate().method(), "UNCHANGED");
  EXPECT_EQ(built.candidate().commit(), first.commit());
  ASSERT_OK(Judge(built.candidate()));
  ASSERT_OK_AND_ASSIGN(const auto merged, Merge(built.candidate().name()));
  EXPECT_EQ(merged.merged().commit(), first.commit());
  EXPECT_EQ(plan_tip(), first.commit());
}

TEST_F(ReviewTest, FailedEvidenceStopsTheMergeAndRunsAgain) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(WithValidator()));
  Submit("import", 1, plan.base_commit(), Write("a.txt", "a\n"));
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("import", 1)));
  ASSERT_OK_AND_ASSIGN(const auto failed, Record(built.candidate(), false, Attempt("import", 2)));
  EXPECT_FALSE(failed.passed());
  EXPECT_THAT(failed.feedback(), HasSubstr("failed: test_totals"));
  EXPECT_THAT(failed.feedback(), HasSubstr("assert 1 == 2"));
  EXPECT_THAT(Merge(built.candidate().name(), "ada"), FailsWithReason("EVIDENCE_FAILED"));
  ASSERT_OK_AND_ASSIGN(const auto again, Build(Attempt("import", 1)));
  EXPECT_THAT(again.candidate().validators(), SizeIs(1));
  EXPECT_FALSE(again.candidate().evidence_passed());

  ASSERT_OK(Record(built.candidate(), true, Attempt("import", 3)));
  ASSERT_OK_AND_ASSIGN(const auto passed, Build(Attempt("import", 1)));
  EXPECT_THAT(passed.candidate().validators(), IsEmpty());
  EXPECT_TRUE(passed.candidate().evidence_passed());
}

TEST_F(ReviewTest, EvidenceMustBeOfTheTreeAndTheValidators) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(WithValidator()));
  Submit("import", 1, plan.base_commit(), Write("a.txt", "a\n"));
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("import", 1)));
  v1::Candidate other = built.candidate();
  other.set_tree(std::string(40, 'c'));
  EXPECT_THAT(Record(other, true, Attempt("import", 2)), FailsWithReason("TREE_DIFFERS"));
  other = built.candidate();
  other.set_validator_digest("x");
  EXPECT_THAT(Record(other, true, Attempt("import", 2)), FailsWithReason("VALIDATORS_DIFFER"));
}

TEST_F(ReviewTest, PersonMayApproveInPlaceOfAVerdict) {
  common::v1::ProjectPolicy policy;
  policy.mutable_review()->set_human_approval(true);
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(policy));
  Submit("import", 1, plan.base_commit(), Write("a.txt", "a\n"));
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("import", 1)));
  ASSERT_OK(Judge(built.candidate()));
  EXPECT_THAT(Merge(built.candidate().name()), FailsWithReason("VERDICT_MISSING"));
  EXPECT_OK(Merge(built.candidate().name(), "ada"));
}

TEST_F(ReviewTest, ReviewShowsEveryAttempt) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  ASSERT_OK(Inspect(InspectionOf("import", 1, plan.base_commit(), "junk\n")));
  Submit("import", 2, plan.base_commit(), Write("a.txt", "a\n"));
  const v1::Candidate candidate = Land(Attempt("import", 2));
  v1::GetReviewRequest request;
  request.set_task(std::string(kPlan) + "/tasks/import");
  ASSERT_OK_AND_ASSIGN(const v1::GetReviewResponse review,
                       rpc::CallUnary(*reviewer_, &ReviewerStub::GetReview, request));
  ASSERT_THAT(review.attempts(), SizeIs(2));
  EXPECT_TRUE(review.attempts(0).inspection().has_refused());
  EXPECT_EQ(review.attempts(1).candidate().name(), candidate.name());
  EXPECT_EQ(review.attempts(1).verdict().verdict(), v1::VERDICT_PASSED);
  EXPECT_EQ(review.attempts(1).merged().commit(), candidate.commit());
}

TEST_F(ReviewTest, FailuresAreReadFromTheOutputInTheFormatOfThePlan) {
  common::v1::ProjectPolicy policy = WithValidator();
  policy.mutable_validators(0)->set_output_format("pytest");
  const std::string base = OpenPlan(policy).value().base_commit();
  Submit("import", 1, base,
         [&](const std::string& work) { WriteFile(work + "/src/app.py", "six\n"); });
  ASSERT_OK_AND_ASSIGN(const v1::CreateCandidateResponse built, Build(Attempt("import", 1)));
  v1::RecordEvidenceRequest request;
  request.set_candidate(built.candidate().name());
  request.set_tree(built.candidate().tree());
  request.set_validator_digest(built.candidate().validator_digest());
  request.set_attempt(Attempt("import", 2));
  v1::ValidatorResult& result = *request.add_results();
  result.set_validator("unit-tests");
  result.set_exit_code(1);
  result.set_output_tail("FAILED tests/test_a.py::test_sum - assert 3 == 4\n1 failed\n");

  ASSERT_OK_AND_ASSIGN(
      const v1::RecordEvidenceResponse recorded,
      rpc::CallUnary(*reviewer_, &ReviewerStub::RecordEvidence, request, Patiently()));

  EXPECT_FALSE(recorded.passed());
  EXPECT_THAT(recorded.feedback(), HasSubstr("failed: tests/test_a.py::test_sum: assert 3 == 4"));
}

}  // namespace
}  // namespace slipway::reviewer
