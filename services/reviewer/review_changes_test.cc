#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/reviewer/testing/review_fixture.h"

namespace slipway::reviewer {
namespace {

using ::testing::SizeIs;
using testkit::FailsWithReason;

class ReviewChangesTest : public ReviewFixture {
 protected:
  void AddChange(const std::string& task, const std::string& base, const std::string& path,
                 v1::ReviewChangesRequest& request) {
    v1::ReviewChangesRequest::Change& change = *request.add_changes();
    const std::string patch = PatchOf(
        base, [&](const std::string& work) { WriteFile(work + "/" + path, "by " + task + "\n"); });
    *change.mutable_inspection() = InspectionOf(task, 1, base, patch);
    change.set_description("Read a file of records.");
    change.set_round(1);
  }

  absl::StatusOr<v1::ReviewChangesResponse> Review(const v1::ReviewChangesRequest& request) {
    return rpc::CallUnary(*reviewer_, &ReviewerStub::ReviewChanges, request, Patiently());
  }
};

TEST_F(ReviewChangesTest, ChangesThatNeedNobodyLandInTheirOrder) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  v1::ReviewChangesRequest request;
  AddChange("import", plan.base_commit(), "src/import.py", request);
  AddChange("export", plan.base_commit(), "src/export.py", request);
  ASSERT_OK_AND_ASSIGN(const auto response, Review(request));

  ASSERT_THAT(response.outcomes(), SizeIs(2));
  const std::string first = response.outcomes(0).merge().merged().commit();
  const std::string second = response.outcomes(1).merge().merged().commit();
  EXPECT_EQ(plan_tip(), second);
  EXPECT_EQ(Git(mirror(), {"rev-parse", second + "^"}), first);
  EXPECT_EQ(response.outcomes(1).merge().merged().tip(), second);
  EXPECT_EQ(response.outcomes(0).judgement().verdict(), v1::VERDICT_PASSED);

  // A repeat, whose first answer was lost, tells where they landed and moves nothing.
  ASSERT_OK_AND_ASSIGN(const auto again, Review(request));
  EXPECT_EQ(again.outcomes(0).candidate().merged().commit(), first);
  EXPECT_EQ(again.outcomes(1).candidate().merged().commit(), second);
  EXPECT_EQ(plan_tip(), second);
}

TEST_F(ReviewChangesTest, WhatIsWrongWithOneStopsNoOther) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  v1::ReviewChangesRequest request;
  AddChange("import", plan.base_commit(), "src/app.py", request);
  AddChange("clash", plan.base_commit(), "src/app.py", request);
  AddChange("lost", plan.base_commit(), "src/lost.py", request);
  request.mutable_changes(2)->mutable_inspection()->set_base_commit(std::string(40, 'a'));
  AddChange("refused", plan.base_commit(), "src/refused.py", request);
  request.mutable_changes(3)->mutable_inspection()->set_patch("no patch");
  AddChange("export", plan.base_commit(), "src/export.py", request);
  ASSERT_OK_AND_ASSIGN(const auto response, Review(request));

  EXPECT_TRUE(response.outcomes(1).candidate().has_conflict());
  EXPECT_FALSE(response.outcomes(2).has_inspection());
  EXPECT_EQ(response.outcomes(2).error().code(),
            static_cast<int>(absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(response.outcomes(3).inspection().has_refused());
  EXPECT_FALSE(response.outcomes(3).has_error());
  EXPECT_EQ(response.outcomes(4).merge().merged().commit(), plan_tip());
}

TEST_F(ReviewChangesTest, AChangeStopsWhereValidatorsHaveToRun) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(WithValidator()));
  v1::ReviewChangesRequest request;
  AddChange("import", plan.base_commit(), "src/import.py", request);
  ASSERT_OK_AND_ASSIGN(const auto response, Review(request));

  EXPECT_THAT(response.outcomes(0).candidate().candidate().validators(), SizeIs(1));
  EXPECT_FALSE(response.outcomes(0).has_judgement());
  EXPECT_EQ(plan_tip(), plan.base_commit());
}

TEST_F(ReviewChangesTest, AChangeStopsWhereAModelOrAPersonIsAsked) {
  common::v1::ProjectPolicy policy;
  policy.mutable_review()->add_council_roles("judge");
  policy.mutable_review()->set_human_approval(true);
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan(policy));
  v1::ReviewChangesRequest request;
  AddChange("critical", plan.base_commit(), "src/import.py", request);
  request.mutable_changes(0)->set_critical(true);
  AddChange("plain", plan.base_commit(), "src/export.py", request);
  ASSERT_OK_AND_ASSIGN(const auto response, Review(request));

  EXPECT_TRUE(response.outcomes(0).candidate().has_candidate());
  EXPECT_FALSE(response.outcomes(0).has_judgement());
  EXPECT_THAT(models_.requests(), SizeIs(0));
  EXPECT_EQ(response.outcomes(1).judgement().verdict(), v1::VERDICT_PASSED);
  EXPECT_FALSE(response.outcomes(1).has_merge());
  EXPECT_EQ(plan_tip(), plan.base_commit());
}

TEST_F(ReviewChangesTest, MoreThanACallTakesAreRefused) {
  ASSERT_OK(OpenPlan());
  v1::ReviewChangesRequest request;
  for (int i = 0; i < 65; ++i) request.add_changes();
  EXPECT_THAT(Review(request).status(), FailsWithReason("BATCH_TOO_LARGE"));
}

}  // namespace
}  // namespace slipway::reviewer
