// What becomes of results, and when their agents have the next grant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/testkit/matchers.h"
#include "services/dispatcher/testing/core_fixture.h"

namespace slipway::dispatcher {
namespace {

using DispatcherResultsTest = CoreFixture;

TEST_F(DispatcherResultsTest, ARepeatedResultGetsItsReceiptAfterTheRunHasEndedToo) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  EXPECT_EQ(HandIn(agent, ChangeResult{.patch = "p"}), Receipt::kAccepted);
  Pass(absl::Seconds(130));  // Long enough for the core to forget it.
  ASSERT_EQ(store_->FindRun(kThePlan).value()->state, RunState::kSucceeded);

  EXPECT_EQ(HandIn(agent, Key("a", 1), ChangeResult{.patch = "p"}), Receipt::kAccepted);
  EXPECT_EQ(HandIn(agent, Key("a", 7), ChangeResult{.patch = "p"}), Receipt::kStale);
}

TEST_F(DispatcherResultsTest, AnAgentThatIsReadyHasItsReceiptAndThenItsNextGrant) {
  Submit({{.id = "a"}, {.id = "b"}});
  HandAgent& agent = AddAgent("one");

  const std::vector<AgentOrder> told = Report(agent, Key("a", 1), /*ready=*/true);

  ASSERT_EQ(told.size(), 2u);
  const auto& receipt = std::get<ResultReceipt>(told[0]);
  EXPECT_EQ(receipt.attempt, Key("a", 1));
  EXPECT_EQ(receipt.receipt.value(), Receipt::kAccepted);
  EXPECT_EQ(std::get<GrantOffer>(told[1]).attempt, Key("b", 1));
}

TEST_F(DispatcherResultsTest, AnAgentThatIsNotReadyGetsItsNextGrantAtABeatThatNamesNothing) {
  Submit({{.id = "a"}, {.id = "b"}});
  HandAgent& agent = AddAgent("one");

  EXPECT_EQ(Report(agent, Key("a", 1), /*ready=*/false).size(), 1u) << "the receipt alone";
  Beat(agent);  // It still names its attempt.
  Run();
  EXPECT_EQ(TaskNow("b").epoch, 0);
  agent.held.reset();
  Beat(agent);
  Run();

  EXPECT_EQ(agent.held, Key("b", 1));
}

TEST_F(DispatcherResultsTest, ARepeatedResultOfAnAgentWithANewGrantLeavesThatAlone) {
  Submit({{.id = "a"}, {.id = "b"}, {.id = "c"}});
  HandAgent& agent = AddAgent("one");
  Report(agent, Key("a", 1), /*ready=*/true);

  const std::vector<AgentOrder> told = Report(agent, Key("a", 1), /*ready=*/true);

  ASSERT_EQ(told.size(), 1u) << "it works on another attempt and is not ready";
  EXPECT_EQ(std::get<ResultReceipt>(told[0]).receipt.value(), Receipt::kAccepted);
  EXPECT_EQ(AttemptNow("b", 1).state, AttemptState::kActive);
  EXPECT_EQ(TaskNow("c").epoch, 0);
}

TEST_F(DispatcherResultsTest, AResultOfAnotherHostsAttemptIsRefusedAndTheSessionGoesOn) {
  Submit({{.id = "a"}, {.id = "b"}});
  AddAgent("one");
  HandAgent& other = AddAgent("two", "hosts/y");
  ASSERT_EQ(other.held, Key("b", 1));

  const std::vector<AgentOrder> told = Report(other, Key("a", 1), /*ready=*/true);

  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(std::get<ResultReceipt>(told[0]).receipt.status(),
              testkit::FailsWithReason("TOKEN_INVALID"));
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kActive);
  EXPECT_EQ(Report(other, Key("b", 1), /*ready=*/true).size(), 1u);
}

}  // namespace
}  // namespace slipway::dispatcher
