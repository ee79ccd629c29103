// What becomes of results, and when agents have their grants.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/testkit/matchers.h"
#include "services/dispatcher/testing/core_fixture.h"

namespace slipway::dispatcher {
namespace {

using DispatcherResultsTest = CoreFixture;

size_t OffersTo(const HandAgent& agent) {
  return std::count_if(
      agent.session->all.begin(), agent.session->all.end(),
      [](const AgentOrder& order) { return std::holds_alternative<GrantOffer>(order); });
}

TEST_F(DispatcherResultsTest, TheKeyIsAskedForBeforeTheGrantIsStoredAndTheGrantLeavesAfterIt) {
  HandAgent& agent = AddAgent("one");
  Submit({{.id = "a"}, {.id = "b"}});
  ASSERT_EQ(models_.asked, 1);

  dispatcher_->OnResult(
      agent.session, {.host = agent.host},
      {.attempt = Key("a", 1), .result = ChangeResult{.patch = "p"}, .ready = true});
  dispatcher_->RunQueued();
  EXPECT_EQ(models_.asked, 2);
  EXPECT_EQ(OffersTo(agent), 1u) << "nothing of the second is on disk";
  EXPECT_FALSE(store_->FindAttempt(Key("b", 1)).value().has_value());
  store_->RunQueued();

  EXPECT_EQ(OffersTo(agent), 2u);
}

TEST_F(DispatcherResultsTest, AKeyThatComesAfterTheCommitNeedsNoOtherOne) {
  models_.waits = true;
  HandAgent& agent = AddAgent("one");
  Submit({{.id = "a"}});
  ASSERT_EQ(OffersTo(agent), 0u);
  ASSERT_TRUE(store_->FindAttempt(Key("a", 1)).value().has_value());

  models_.Answer();
  dispatcher_->RunQueued();

  EXPECT_EQ(OffersTo(agent), 1u);
}

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
