#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/planner/testing/service_fixture.h"

namespace slipway::planner {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PlannerReviewTest : public ServiceTest {
 protected:
  PlannerReviewTest() { EXPECT_OK(CreateProject("shop")); }

  absl::StatusOr<v1::Plan> Import(const v1::Plan& plan, const std::string& parent = "projects/shop",
                                  const std::string& request_id = "") {
    v1::ImportPlanRequest request;
    request.set_parent(parent);
    *request.mutable_plan() = plan;
    request.set_request_id(request_id);
    const auto response = Invoke(&Stub::ImportPlan, request);
    if (!response.ok()) return response.status();
    return response->plan();
  }

  absl::StatusOr<v1::Plan> Edit(const v1::EditPlanRequest& request) {
    const auto response = Invoke(&Stub::EditPlan, request);
    if (!response.ok()) return response.status();
    return response->plan();
  }

  static v1::Plan Chain(int size) {
    v1::Plan plan;
    plan.set_title("Chain");
    plan.set_spec("replay");
    for (int i = 0; i < size; ++i) {
      v1::PlanTask* const task = plan.add_tasks();
      task->set_id(absl::StrCat("t", i));
      task->add_allowed_paths("**");
      if (i > 0) task->add_depends_on(absl::StrCat("t", i - 1));
    }
    return plan;
  }
};

TEST_F(PlannerReviewTest, EditMakesANewVersionAndKeepsTheOld) {
  const std::string name = ProposedPlan();
  v1::EditPlanRequest request;
  request.set_name(name);
  request.set_version(1);
  v1::TaskEdit* const edit = request.add_edits();
  edit->set_task("greeting");
  edit->set_priority(5);
  v1::PlanTask* const added = request.add_added_tasks();
  added->set_id("french");
  added->set_intent("docs");
  added->add_depends_on("greeting");
  added->add_allowed_paths("src/fr/");

  ASSERT_OK_AND_ASSIGN(const v1::Plan edited, Edit(request));

  EXPECT_EQ(edited.version(), 2);
  EXPECT_EQ(edited.tasks_size(), 3);
  EXPECT_EQ(edited.tasks(0).priority(), 5);
  EXPECT_EQ(edited.tasks(2).role(), "simple_builder");
  EXPECT_EQ(GetPlan(name, 1).tasks_size(), 2);
  v1::DiffPlanRequest diff;
  diff.set_name(name);
  diff.set_from_version(1);
  EXPECT_THAT(Invoke(&Stub::DiffPlan, diff).value().changes(),
              ElementsAre("task greeting: priority 0 -> 5", "task french: added"));
  const auto events = Events("plan.revised");
  ASSERT_EQ(events.size(), 2);
  EXPECT_THAT(events[1].payload().plan_revised().changes(),
              ElementsAre("task greeting: priority 0 -> 5", "task french: added"));
  EXPECT_EQ(events[1].payload().plan_revised().actor(), "ada");
}

TEST_F(PlannerReviewTest, BadEditChangesNothing) {
  const std::string name = ProposedPlan();
  v1::EditPlanRequest request;
  request.set_name(name);
  request.set_version(1);
  EXPECT_THAT(Edit(request), FailsWithReason("EDIT_EMPTY"));
  v1::TaskEdit* const edit = request.add_edits();
  edit->set_task("greeting");
  edit->mutable_depends_on()->add_values("test-greeting");
  const absl::StatusOr<v1::Plan> cyclic = Edit(request);
  EXPECT_THAT(cyclic, FailsWithReason("PLAN_CYCLE"));
  EXPECT_THAT(std::string(cyclic.status().message()),
              HasSubstr("greeting -> test-greeting -> greeting"));
  edit->mutable_depends_on()->clear_values();
  edit->mutable_allowed_paths()->add_values("/etc/passwd");
  EXPECT_THAT(Edit(request), FailsWithReason("PATH_OUTSIDE"));
  edit->clear_allowed_paths();
  edit->set_remove(true);
  EXPECT_THAT(Edit(request), FailsWithReason("DEPENDENCY_UNKNOWN"));
  edit->set_task("ghost");
  EXPECT_THAT(Edit(request), FailsWithReason("TASK_UNKNOWN"));
  request.set_version(7);
  EXPECT_THAT(Edit(request), FailsWithReason("VERSION_MISMATCH"));
  EXPECT_EQ(GetPlan(name).version(), 1);
}

TEST_F(PlannerReviewTest, OnlyTheNewestVersionCanBeApprovedAndOnce) {
  const std::string name = ProposedPlan();
  v1::EditPlanRequest request;
  request.set_name(name);
  request.set_version(1);
  v1::TaskEdit* const edit = request.add_edits();
  edit->set_task("greeting");
  edit->set_title("Greet well");
  ASSERT_OK(Edit(request));

  EXPECT_THAT(Approve(name, 1), FailsWithReason("VERSION_MISMATCH"));
  ASSERT_OK_AND_ASSIGN(const v1::Plan approved, Approve(name, 2));
  EXPECT_EQ(approved.state(), v1::Plan::STATE_APPROVED);
  EXPECT_EQ(approved.approver(), "ada");
  EXPECT_OK(Approve(name, 2));
  EXPECT_THAT(Approve(name, 1), FailsWithReason("VERSION_MISMATCH"));
  request.set_version(2);
  EXPECT_THAT(Edit(request), FailsWithReason("PLAN_STATE"));
  v1::RejectPlanRequest reject;
  reject.set_name(name);
  EXPECT_THAT(Invoke(&Stub::RejectPlan, reject), FailsWithReason("PLAN_STATE"));
}

TEST_F(PlannerReviewTest, ApprovedPlanKeepsThePolicyItWasApprovedWith) {
  const std::string name = ProposedPlan();
  ASSERT_OK(Approve(name, 1));
  v1::GetProjectRequest get;
  get.set_name("projects/shop");
  v1::UpdateProjectRequest update;
  *update.mutable_project() = Invoke(&Stub::GetProject, get).value().project();
  update.mutable_project()->mutable_policy()->set_parallel_max(9);
  ASSERT_OK_AND_ASSIGN(const v1::UpdateProjectResponse updated,
                       Invoke(&Stub::UpdateProject, update));
  EXPECT_EQ(updated.project().version(), 2);
  EXPECT_THAT(Invoke(&Stub::UpdateProject, update), FailsWithReason("VERSION_MISMATCH"));

  ASSERT_OK(StartPlan(name));

  EXPECT_EQ(dispatcher_.submitted()[0].policy().parallel_max(), 0);
}

TEST_F(PlannerReviewTest, ChainOfFiveThousandIsImportedAndRuns) {
  v1::Plan chain = Chain(5'000);
  chain.set_base_commit(std::string(40, '2'));
  repository_.SetDirty(true);  // No matter: it does not start from the tip.

  ASSERT_OK_AND_ASSIGN(const v1::Plan imported, Import(chain, "projects/shop", "rehearsal"));

  EXPECT_EQ(imported.state(), v1::Plan::STATE_PROPOSED);
  EXPECT_EQ(imported.waves_size(), 5'000);
  ASSERT_OK(Approve(imported.name(), 1));
  ASSERT_OK(StartPlan(imported.name()));
  EXPECT_EQ(dispatcher_.submitted()[0].tasks_size(), 5'000);
  EXPECT_EQ(dispatcher_.submitted()[0].base_commit(), std::string(40, '2'));
  EXPECT_THAT(models_.requests(), IsEmpty());
  ASSERT_OK_AND_ASSIGN(const v1::Plan repeat, Import(chain, "projects/shop", "rehearsal"));
  EXPECT_EQ(repeat.name(), imported.name());
}

TEST_F(PlannerReviewTest, BadImportsAreRefusedByName) {
  v1::Plan plan = Chain(2);
  plan.mutable_tasks(0)->add_depends_on("t1");
  EXPECT_THAT(Import(plan), FailsWithReason("PLAN_CYCLE"));
  plan = Chain(2);
  plan.mutable_tasks(1)->set_id("t0");
  plan.mutable_tasks(1)->clear_depends_on();
  EXPECT_THAT(Import(plan), FailsWithReason("TASK_DUPLICATE"));
  plan = Chain(1);
  plan.mutable_tasks(0)->set_id("integration");
  EXPECT_THAT(Import(plan), FailsWithReason("TASK_INVALID"));
  EXPECT_THAT(Import(Chain(0)), FailsWithReason("PLAN_EMPTY"));
  EXPECT_THAT(Import(Chain(1), "projects/ghost"), FailsWithReason("PROJECT_UNKNOWN"));
  EXPECT_THAT(Import(Chain(1), "shop"), FailsWithReason("NAME_INVALID"));
  plan = Chain(1);
  plan.set_base_commit("main");
  EXPECT_THAT(Import(plan), FailsWithReason("OID_INVALID"));
}

TEST_F(PlannerReviewTest, RoleWithoutAPriceIsARisk) {
  v1::Plan plan = Chain(1);
  plan.mutable_tasks(0)->set_role("unpriced");
  ASSERT_OK_AND_ASSIGN(const v1::Plan imported, Import(plan));
  EXPECT_EQ(imported.estimate_usd_nanos(), 0);
  EXPECT_THAT(imported.risks(), ElementsAre(HasSubstr("role unpriced")));
}

TEST_F(PlannerReviewTest, PlansAreListedNewestFirstInPages) {
  ASSERT_OK(CreateProject("other"));
  for (int i = 0; i < 5; ++i)
    ASSERT_OK(Import(Chain(1), i == 2 ? "projects/other" : "projects/shop"));
  v1::ListPlansRequest request;
  request.set_parent("projects/shop");
  request.set_page_size(2);
  std::vector<std::string> names;
  do {
    ASSERT_OK_AND_ASSIGN(const v1::ListPlansResponse page, Invoke(&Stub::ListPlans, request));
    for (const v1::Plan& plan : page.plans()) {
      names.push_back(plan.name());
      EXPECT_EQ(plan.tasks_size(), 0);
      EXPECT_EQ(plan.spec(), "");
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());

  const std::string first = "projects/shop/plans/2026-11-21-chain";
  EXPECT_THAT(names, ElementsAre(first + "-4", first + "-3", first + "-2", first));
  request.set_parent("projects/-");
  request.set_page_size(0);
  EXPECT_EQ(Invoke(&Stub::ListPlans, request).value().plans_size(), 5);
  request.set_state(v1::Plan::STATE_APPROVED);
  EXPECT_EQ(Invoke(&Stub::ListPlans, request).value().plans_size(), 0);
  request.set_page_token("x");
  EXPECT_THAT(Invoke(&Stub::ListPlans, request), FailsWithReason("PAGE_INVALID"));
  request.clear_page_token();
  request.set_page_size(-1);
  EXPECT_THAT(Invoke(&Stub::ListPlans, request), FailsWithReason("PAGE_INVALID"));
  request.set_page_size(1);
  request.set_parent("projects/ghost");
  EXPECT_THAT(Invoke(&Stub::ListPlans, request), FailsWithReason("PROJECT_UNKNOWN"));
}

TEST_F(PlannerReviewTest, ProjectsAreCheckedListedAndArchived) {
  EXPECT_THAT(CreateProject("shop"), FailsWithReason("PROJECT_EXISTS"));
  v1::CreateProjectRequest create;
  v1::Project& project = *create.mutable_project();
  project.set_name("projects/attic");
  project.set_repository("/repository");
  project.set_target_branch("main");
  EXPECT_THAT(Invoke(&Stub::CreateProject, create), FailsWithReason("PLAN_TIER_MISSING"));
  project.set_plan_tier("local");
  project.mutable_policy()->add_validators()->set_name("unit-tests");
  EXPECT_THAT(Invoke(&Stub::CreateProject, create), FailsWithReason("POLICY_INVALID"));
  project.clear_policy();
  project.set_target_branch("trunk");
  EXPECT_THAT(Invoke(&Stub::CreateProject, create), FailsWithReason("BRANCH_MISSING"));
  project.set_target_branch("main");
  project.set_repository("/nowhere");
  EXPECT_THAT(Invoke(&Stub::CreateProject, create), FailsWithReason("NOT_A_REPOSITORY"));
  project.set_repository("/repository");
  create.set_request_id("r");
  ASSERT_OK_AND_ASSIGN(const v1::CreateProjectResponse created,
                       Invoke(&Stub::CreateProject, create));
  EXPECT_OK(Invoke(&Stub::CreateProject, create));

  v1::UpdateProjectRequest update;
  *update.mutable_project() = created.project();
  update.mutable_project()->set_state(v1::Project::STATE_ARCHIVED);
  ASSERT_OK(Invoke(&Stub::UpdateProject, update));

  v1::ListProjectsRequest list;
  EXPECT_EQ(Invoke(&Stub::ListProjects, list).value().projects_size(), 1);
  list.set_show_archived(true);
  list.set_page_size(1);
  ASSERT_OK_AND_ASSIGN(const v1::ListProjectsResponse page, Invoke(&Stub::ListProjects, list));
  EXPECT_EQ(page.projects(0).name(), "projects/attic");
  list.set_page_token(page.next_page_token());
  EXPECT_EQ(Invoke(&Stub::ListProjects, list).value().projects(0).name(), "projects/shop");
  EXPECT_THAT(Import(Chain(1), "projects/attic"), FailsWithReason("PROJECT_ARCHIVED"));
}

TEST_F(PlannerReviewTest, MissingPlansAndVersionsAreNamed) {
  v1::GetPlanRequest request;
  request.set_name("projects/shop/plans/ghost");
  EXPECT_THAT(Invoke(&Stub::GetPlan, request), FailsWithReason("PLAN_UNKNOWN"));
  request.set_name("plans/ghost");
  EXPECT_THAT(Invoke(&Stub::GetPlan, request), FailsWithReason("NAME_INVALID"));
  ASSERT_OK_AND_ASSIGN(const v1::Plan plan, Import(Chain(1)));
  request.set_name(plan.name());
  request.set_version(2);
  EXPECT_THAT(Invoke(&Stub::GetPlan, request), FailsWithReason("VERSION_UNKNOWN"));
  v1::DiffPlanRequest diff;
  diff.set_name(plan.name());
  diff.set_from_version(3);
  EXPECT_THAT(Invoke(&Stub::DiffPlan, diff), FailsWithReason("VERSION_UNKNOWN"));
}

}  // namespace
}  // namespace slipway::planner
