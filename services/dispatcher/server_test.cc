// The way of tasks through a whole dispatcher, with scripted services and agents around it.
#include "services/dispatcher/server.h"

#include <algorithm>

#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

using testkit::FailsWithReason;
using Service = v1::DispatcherService::Stub;

constexpr char kPlan[] = "projects/demo/plans/2026-11-21-export";

class ServerTest : public ServerFixture {};

TEST_F(ServerTest, TasksAreMergedInTheOrderOfTheirDependencies) {
  AddAgent();
  AddAgent();
  ASSERT_OK(Submit(Plan({"a", "b:a", "c:a", "d:b,c"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  std::vector<std::string> merged = reviewer_.merged();
  ASSERT_EQ(merged.size(), 5u);
  const auto position = [&](const std::string& id) {
    return std::find_if(merged.begin(), merged.end(),
                        [&](const std::string& name) {
                          return name.find("/tasks/" + id + "/") != std::string::npos;
                        }) -
           merged.begin();
  };
  EXPECT_EQ(position("a"), 0);
  EXPECT_LT(position("b"), position("d"));
  EXPECT_LT(position("c"), position("d"));
  EXPECT_EQ(GetTask("d").merged_commit(), "commit-4");
  EXPECT_EQ(GetTask("integration").state(), v1::Task::STATE_MERGED);
  EXPECT_EQ(GetRun().result(), "merged as commit-5");
}

TEST_F(ServerTest, ValidatorsRunOnTheCandidateBeforeItIsJudged) {
  reviewer_.with_validators = true;
  FakeAgent& agent = AddAgent();
  ASSERT_OK(Submit(Plan({"a"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);

  const std::vector<agent::v1::Grant> grants = agent.grants();
  ASSERT_GE(grants.size(), 2u);
  EXPECT_EQ(grants[0].commit(), "base");
  EXPECT_EQ(grants[0].write_change().model_key(),
            std::string("key of ") + kPlan + "/tasks/a/attempts/1");
  EXPECT_EQ(grants[1].run_validators().tree(),
            std::string("tree of ") + kPlan + "/tasks/a/attempts/1");
  EXPECT_EQ(grants[1].epoch(), 2);
}

}  // namespace
}  // namespace slipway::dispatcher
