// Changes to plans that run.
#include <string>
#include <vector>

#include "services/planner/testing/service_fixture.h"

namespace slipway::planner {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PlannerAmendTest : public ServiceTest {
 protected:
  PlannerAmendTest() {
    EXPECT_OK(CreateProject("shop"));
    name_ = ProposedPlan();
    EXPECT_OK(Approve(name_, 1));
    EXPECT_OK(StartPlan(name_));
  }

  absl::StatusOr<v1::Plan> Edit(const v1::EditPlanRequest& request) {
    const auto response = Invoke(&Stub::EditPlan, request);
    if (!response.ok()) return response.status();
    return response->plan();
  }

  // Gives the test task a priority, at the newest version.
  absl::StatusOr<v1::Plan> SetPriority(int priority) {
    v1::EditPlanRequest request;
    request.set_name(name_);
    request.set_version(GetPlan(name_).version());
    v1::TaskEdit* const edit = request.add_edits();
    edit->set_task("test-greeting");
    edit->set_priority(priority);
    return Edit(request);
  }

  absl::StatusOr<v1::Plan> Add(const std::string& id) {
    v1::EditPlanRequest request;
    request.set_name(name_);
    request.set_version(GetPlan(name_).version());
    v1::PlanTask* const added = request.add_added_tasks();
    added->set_id(id);
    added->add_allowed_paths("src/**");
    return Edit(request);
  }

  absl::StatusOr<v1::Plan> Reject() {
    v1::RejectPlanRequest request;
    request.set_name(name_);
    request.set_reason("not now");
    const auto response = Invoke(&Stub::RejectPlan, request);
    if (!response.ok()) return response.status();
    return response->plan();
  }

  std::vector<std::string> AmendmentSteps() {
    std::vector<std::string> steps;
    for (const events::v1::Event& event : Events("plan.amendment_changed")) {
      const events::v1::PlanAmendmentChanged& change = event.payload().plan_amendment_changed();
      steps.push_back(absl::StrCat(change.from(), ">", change.to(), " ", change.version()));
    }
    return steps;
  }

  std::string name_;
};

TEST_F(PlannerAmendTest, AnEditOfARunningPlanWaitsForApprovalWhileTheApprovedVersionRuns) {
  ASSERT_OK(SetPriority(5));
  ASSERT_OK_AND_ASSIGN(const v1::Plan edited, Add("french"));

  EXPECT_EQ(edited.state(), v1::Plan::STATE_RUNNING);
  EXPECT_EQ(edited.version(), 3);
  EXPECT_EQ(edited.approved_version(), 1);
  EXPECT_EQ(edited.amendment().state(), v1::Amendment::STATE_PROPOSED);
  EXPECT_EQ(edited.amendment().version(), 3);
  EXPECT_EQ(edited.amendment().base_version(), 1);
  EXPECT_THAT(edited.amendment().added_tasks(), ElementsAre("french"));
  EXPECT_THAT(edited.amendment().changed_tasks(), ElementsAre("test-greeting"));
  EXPECT_THAT(
      edited.amendment().changes(),
      ::testing::UnorderedElementsAre("task test-greeting: priority 0 -> 5", "task french: added"));
  EXPECT_EQ(edited.amendment().estimate_change_usd_nanos(),
            edited.estimate_usd_nanos() - GetPlan(name_, 1).estimate_usd_nanos());
  EXPECT_GT(edited.amendment().estimate_change_usd_nanos(), 0);
  EXPECT_EQ(dispatcher_.validated(), 2);
  EXPECT_THAT(dispatcher_.amended(), IsEmpty());
  EXPECT_THAT(AmendmentSteps(), ElementsAre(">PROPOSED 2", "PROPOSED>PROPOSED 3"));
  v1::ListPlansRequest list;
  list.set_parent("projects/shop");
  const v1::ListPlansResponse listed = Invoke(&Stub::ListPlans, list).value();
  EXPECT_EQ(listed.plans(0).amendment().version(), 3);
}

TEST_F(PlannerAmendTest, OnlyTheDeltaOfAnApprovedAmendmentIsHandedOver) {
  ASSERT_OK(SetPriority(5));
  ASSERT_OK(Add("french"));

  ASSERT_OK_AND_ASSIGN(const v1::Plan approved, Approve(name_, 3));

  EXPECT_EQ(approved.state(), v1::Plan::STATE_RUNNING);
  EXPECT_EQ(approved.approved_version(), 3);
  EXPECT_FALSE(approved.has_amendment());
  ASSERT_THAT(dispatcher_.amended(), SizeIs(1));
  const dispatcher::v1::PlanAmendment amendment = dispatcher_.amended()[0];
  EXPECT_EQ(amendment.version(), 3);
  EXPECT_EQ(amendment.base_version(), 1);
  EXPECT_EQ(amendment.actor(), "ada");
  ASSERT_EQ(amendment.added_tasks_size(), 1);
  EXPECT_EQ(amendment.added_tasks(0).role(), "general_builder");
  ASSERT_EQ(amendment.changed_tasks_size(), 1);
  EXPECT_THAT(amendment.changed_tasks(0).fields(), ElementsAre("priority"));
  EXPECT_EQ(amendment.changed_tasks(0).spec().priority(), 5);
  EXPECT_THAT(amendment.removed_tasks(), IsEmpty());
  EXPECT_THAT(AmendmentSteps(), ElementsAre(">PROPOSED 2", "PROPOSED>PROPOSED 3",
                                            "PROPOSED>APPROVED 3", "APPROVED>APPLIED 3"));
  EXPECT_OK(Approve(name_, 3)) << "a repeat";
  EXPECT_THAT(dispatcher_.amended(), SizeIs(1));
  EXPECT_THAT(Approve(name_, 2), FailsWithReason("VERSION_MISMATCH"));
  ASSERT_OK_AND_ASSIGN(const v1::Plan next, SetPriority(6));
  EXPECT_EQ(next.amendment().base_version(), 3);
}

TEST_F(PlannerAmendTest, ARejectedAmendmentIsGoneAndItsNumberIsNotUsedAgain) {
  ASSERT_OK(SetPriority(5));

  ASSERT_OK_AND_ASSIGN(const v1::Plan rejected, Reject());

  EXPECT_EQ(rejected.state(), v1::Plan::STATE_RUNNING);
  EXPECT_EQ(rejected.version(), 1);
  EXPECT_FALSE(rejected.has_amendment());
  EXPECT_THAT(dispatcher_.amended(), IsEmpty());
  EXPECT_THAT(Reject(), FailsWithReason("PLAN_STATE"));
  EXPECT_THAT(Approve(name_, 2), FailsWithReason("VERSION_MISMATCH"));
  ASSERT_OK_AND_ASSIGN(const v1::Plan next, SetPriority(6));
  EXPECT_EQ(next.version(), 3);
  EXPECT_EQ(GetPlan(name_, 2).tasks(1).priority(), 5);
  EXPECT_THAT(AmendmentSteps(), ElementsAre(">PROPOSED 2", "PROPOSED>REJECTED 2", ">PROPOSED 3"));
}

TEST_F(PlannerAmendTest, WhatTheDispatcherWouldRefuseIsNotProposed) {
  dispatcher_.SetAmendError(base::Error(absl::StatusCode::kFailedPrecondition, "TASKS_BEGUN",
                                        "'test-greeting' is MERGED"));
  const absl::StatusOr<v1::Plan> edited = SetPriority(5);
  EXPECT_THAT(edited, FailsWithReason("TASKS_BEGUN"));
  EXPECT_THAT(std::string(edited.status().message()), HasSubstr("'test-greeting' is MERGED"));
  EXPECT_EQ(GetPlan(name_).version(), 1);
  EXPECT_THAT(AmendmentSteps(), IsEmpty());
}

TEST_F(PlannerAmendTest, AnAmendmentThatCameTooLateIsRefusedAndCanBeEditedFurther) {
  ASSERT_OK(SetPriority(5));
  ASSERT_OK(Add("french"));
  dispatcher_.SetAmendError(base::Error(absl::StatusCode::kFailedPrecondition, "TASKS_BEGUN",
                                        "'test-greeting' is RUNNING"));

  EXPECT_THAT(Approve(name_, 3), FailsWithReason("TASKS_BEGUN"));

  const v1::Plan refused = GetPlan(name_);
  EXPECT_EQ(refused.state(), v1::Plan::STATE_RUNNING);
  EXPECT_EQ(refused.approved_version(), 1);
  EXPECT_EQ(refused.amendment().state(), v1::Amendment::STATE_REFUSED);
  EXPECT_THAT(refused.amendment().failure(), HasSubstr("TASKS_BEGUN"));
  dispatcher_.SetAmendError(absl::OkStatus());
  ASSERT_OK_AND_ASSIGN(const v1::Plan mended, SetPriority(0));
  EXPECT_EQ(mended.amendment().state(), v1::Amendment::STATE_PROPOSED);
  EXPECT_THAT(mended.amendment().changed_tasks(), IsEmpty());
  ASSERT_OK(Approve(name_, 4));
  EXPECT_EQ(dispatcher_.amended()[0].changed_tasks_size(), 0);
}

TEST_F(PlannerAmendTest, AnEditThatTakesEverythingBackIsNoAmendment) {
  EXPECT_THAT(SetPriority(0), FailsWithReason("EDIT_EMPTY"));
  ASSERT_OK(SetPriority(5));
  const absl::StatusOr<v1::Plan> back = SetPriority(0);
  EXPECT_THAT(back, FailsWithReason("EDIT_EMPTY"));
  EXPECT_THAT(std::string(back.status().message()), HasSubstr("reject version 2"));
}

TEST_F(PlannerAmendTest, TheWholeAmendedGraphIsChecked) {
  v1::EditPlanRequest request;
  request.set_name(name_);
  request.set_version(1);
  v1::TaskEdit* const edit = request.add_edits();
  edit->set_task("greeting");
  edit->mutable_depends_on()->add_values("test-greeting");
  EXPECT_THAT(Edit(request), FailsWithReason("PLAN_CYCLE"));
  edit->clear_depends_on();
  edit->set_remove(true);
  EXPECT_THAT(Edit(request), FailsWithReason("DEPENDENCY_UNKNOWN"));
  EXPECT_EQ(dispatcher_.validated(), 0);
}

TEST_F(PlannerAmendTest, AnApprovedAmendmentIsHandedOverWhenTheDispatcherIsBack) {
  ASSERT_OK(SetPriority(5));
  dispatcher_.SetAmendError(absl::UnavailableError("away"));

  EXPECT_THAT(Approve(name_, 2), FailsWithReason("AMENDMENT_PENDING"));

  EXPECT_EQ(GetPlan(name_).amendment().state(), v1::Amendment::STATE_APPROVED);
  EXPECT_THAT(SetPriority(6), FailsWithReason("AMENDMENT_UNDER_WAY"));
  EXPECT_THAT(Reject(), FailsWithReason("AMENDMENT_UNDER_WAY"));
  dispatcher_.SetAmendError(absl::OkStatus());
  EXPECT_TRUE(Eventually([&] { return GetPlan(name_).approved_version() == 2; },
                         [&] { clock_.Advance(absl::Seconds(1)); }));
  EXPECT_THAT(dispatcher_.amended(), SizeIs(1));
}

TEST_F(PlannerAmendTest, AnApprovedAmendmentIsHandedOverAfterARestart) {
  ASSERT_OK(SetPriority(5));
  dispatcher_.SetAmendError(absl::UnavailableError("away"));
  EXPECT_THAT(Approve(name_, 2), FailsWithReason("AMENDMENT_PENDING"));
  planner_.reset();
  dispatcher_.SetAmendError(absl::OkStatus());

  StartPlanner();

  EXPECT_TRUE(Eventually([&] { return GetPlan(name_).approved_version() == 2; }));
  EXPECT_THAT(dispatcher_.amended(), SizeIs(1));
  EXPECT_EQ(AmendmentSteps().back(), "APPROVED>APPLIED 2");
}

TEST_F(PlannerAmendTest, TheEndOfTheRunOvertakesWhatIsNotApproved) {
  ASSERT_OK(SetPriority(5));
  run_log_.Append(name_, "SUCCEEDED", "merged");
  EXPECT_TRUE(Reaches(name_, v1::Plan::STATE_COMPLETED));
  EXPECT_EQ(GetPlan(name_).version(), 1);
  EXPECT_FALSE(GetPlan(name_).has_amendment());
  EXPECT_EQ(AmendmentSteps().back(), "PROPOSED>OVERTAKEN 2");
  EXPECT_THAT(SetPriority(5), FailsWithReason("PLAN_STATE"));
}

TEST_F(PlannerAmendTest, AnApprovedAmendmentOfARunThatEndedIsSettledByItsDelivery) {
  ASSERT_OK(SetPriority(5));
  dispatcher_.SetAmendError(absl::UnavailableError("away"));
  EXPECT_THAT(Approve(name_, 2), FailsWithReason("AMENDMENT_PENDING"));
  run_log_.Append(name_, "SUCCEEDED", "merged");
  EXPECT_TRUE(Reaches(name_, v1::Plan::STATE_COMPLETED));
  dispatcher_.SetAmendError(
      base::Error(absl::StatusCode::kFailedPrecondition, "RUN_STATE", "it has SUCCEEDED"));
  EXPECT_TRUE(Eventually([&] { return !GetPlan(name_).has_amendment(); },
                         [&] { clock_.Advance(absl::Seconds(1)); }));
  EXPECT_EQ(GetPlan(name_).approved_version(), 1);
  EXPECT_EQ(AmendmentSteps().back(), "APPROVED>OVERTAKEN 2");
}

}  // namespace
}  // namespace slipway::planner
