// What simulated histories found once, each by itself, and what is decided by how long nothing
// happened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/testkit/matchers.h"
#include "services/dispatcher/testing/core_fixture.h"

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using DispatcherCoreTest = CoreFixture;

TEST_F(DispatcherCoreTest, AnAgentThatComesBackWithoutItsAttemptAfterARestartGetsNoSecondOne) {
  Submit({{.id = "a"}, {.id = "b"}});
  HandAgent& agent = AddAgent("one");
  ASSERT_EQ(agent.held, Key("a", 1));

  Restart();
  agent.held.reset();
  Dial(agent);

  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kLost);
  EXPECT_EQ(AttemptNow("a", 1).reason, "AGENT_RESTARTED");
  EXPECT_EQ(agent.held, Key("a", 2)) << "and that is the only one it has";
  EXPECT_EQ(TaskNow("b").epoch, 0);
}

TEST_F(DispatcherCoreTest, WaitsAreMeasuredByElapsedTimeWhateverTheWallClockDoes) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  HandIn(agent, FailureResult{FailureClass::kProvider, "PROVIDER", "down"});
  Pass(absl::Seconds(1));
  ASSERT_EQ(TaskNow("a").state, TaskState::kRetryWait);

  clock_.StepWall(absl::Hours(2));
  Pass(absl::Seconds(1));
  EXPECT_EQ(TaskNow("a").state, TaskState::kRetryWait) << "it does not end with the clock";
  clock_.StepWall(-absl::Hours(9));
  Pass(absl::Seconds(6));
  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning) << "nor drag on";
}

TEST_F(DispatcherCoreTest, AWaitIsNotLongerAfterARestartThoughTheWallClockWasSetBack) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  HandIn(agent, FailureResult{FailureClass::kProvider, "PROVIDER", "down"});
  ASSERT_EQ(TaskNow("a").state, TaskState::kRetryWait);

  clock_.StepWall(-absl::Hours(2));
  Restart();
  agent.held.reset();
  Dial(agent);
  Pass(absl::Seconds(6));

  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning);
}

TEST_F(DispatcherCoreTest, AnAgentThatHoldsNothingIsHeardSeldomAndNotTakenForGone) {
  HandAgent& agent = AddAgent("one");
  const auto* welcome = std::get_if<Welcome>(&agent.session->all.front());
  ASSERT_NE(welcome, nullptr);
  EXPECT_EQ(welcome->idle_beat_interval, absl::Seconds(10)) << "three in a lease";
  const auto dial_as_another = [&] {
    auto session = std::make_shared<Orders>();
    dispatcher_->OnHello(session, {.agent = "one", .host = "hosts/x", .boot_nonce = 2},
                         /*process=*/false);
    Run();
    return session;
  };

  Pass(absl::Seconds(19), {"one"});
  EXPECT_THAT(dial_as_another()->all, IsEmpty()) << "the first may be between two beats";
  Pass(absl::Seconds(1), {"one"});
  EXPECT_THAT(dial_as_another()->all, testing::SizeIs(1)) << "it is silent";
}

TEST_F(DispatcherCoreTest, ADrainIsDueByElapsedTimeWhateverTheWallClockDoes) {
  Submit({{.id = "a"}});
  AddAgent("one");
  dispatcher_->DrainHost("hosts/x", absl::Seconds(20), "new kernel", "ada",
                         base::Reply<HostStatus>([](const auto& drained) { EXPECT_OK(drained); }));
  Run();

  clock_.StepWall(absl::Hours(2));
  Pass(absl::Seconds(15));
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kActive) << "it has the time it was given";
  clock_.StepWall(-absl::Hours(9));
  Pass(absl::Seconds(10));

  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kPaused);
  EXPECT_EQ(AttemptNow("a", 1).reason, "host_drain");
}

TEST_F(DispatcherCoreTest, ADrainGoesOnAfterARestart) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  dispatcher_->DrainHost("hosts/x", absl::Seconds(20), "new kernel", "ada",
                         base::Reply<HostStatus>([](const auto& drained) { EXPECT_OK(drained); }));
  Run();
  Pass(absl::Seconds(10));
  Restart();
  Dial(agent);

  Pass(absl::Seconds(5));
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kActive);
  Pass(absl::Seconds(10));
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kPaused);
}

TEST_F(DispatcherCoreTest, AStopOfAgentsLeavesTheChangeUnderReviewAlone) {
  reviewer_.with_validators = true;
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  HandIn(agent, ChangeResult{.patch = "p"});
  ASSERT_EQ(TaskNow("a").state, TaskState::kValidating);
  ASSERT_EQ(agent.held, Key("a", 2));

  dispatcher_->Pause(kEverything, /*stop_agents=*/true, "fire", "ada",
                     base::Reply<int>([](const auto& stopped) { EXPECT_EQ(stopped.value(), 1); }));
  Run();

  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kReported) << "its work is not lost";
  EXPECT_EQ(AttemptNow("a", 2).state, AttemptState::kPaused);
  dispatcher_->Resume(kEverything, "ada", base::Reply<int>([](const auto&) {}));
  Pass(absl::Seconds(10));
  ASSERT_TRUE(agent.held.has_value());
  HandIn(agent, EvidenceResult{.outcomes = {{.validator = "tests"}}});
  Pass(absl::Seconds(2));
  EXPECT_EQ(TaskNow("a").state, TaskState::kMerged);
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kAccepted);
}

TEST_F(DispatcherCoreTest, ATaskThatIsRevivedAndWaitsForOneThatFailedIsSkipped) {
  reviewer_.quarantined = "a";
  Submit({{.id = "a"}, {.id = "b", .depends_on = {"a"}}, {.id = "c"}});
  const TaskKey b{.plan = kThePlan, .id = "b"};
  dispatcher_->CancelTask(b, base::Reply<Task>([](const auto&) {}));
  HandAgent& agent = AddAgent("one");
  ASSERT_EQ(agent.held, Key("a", 1));
  HandIn(agent, ChangeResult{.patch = "p"});
  Resolve("a", Decision::kFail);
  ASSERT_EQ(TaskNow("a").state, TaskState::kFailed);

  dispatcher_->RetryTask(b, "", "ada", base::Reply<Task>([](const auto&) {}));
  Run();

  EXPECT_EQ(TaskNow("b").state, TaskState::kSkipped) << "not BLOCKED for ever";
}

TEST_F(DispatcherCoreTest, AnAttemptIsStoppedForDoingNothingAndNotForTakingLong) {
  Submit({{.id = "a", .attempt_timeout = absl::Hours(5)}});
  HandAgent& agent = AddAgent("one");
  for (int minute = 0; minute < 60; minute += 9) {
    Pass(absl::Minutes(9));
    ++agent.activity;
  }
  ASSERT_EQ(agent.held, Key("a", 1)) << "it works, if slowly";

  Pass(absl::Minutes(10) + absl::Seconds(30));
  ++agent.activity;  // After it was pointed out.
  Pass(absl::Minutes(10) + absl::Seconds(30));
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kActive);
  Pass(absl::Seconds(40));
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kFailed);
  EXPECT_EQ(AttemptNow("a", 1).reason, "STALLED");
  EXPECT_EQ(agent.held, Key("a", 2)) << "tried again";
  EXPECT_EQ(AttemptNow("a", 2).feedback.size(), 1u);
}

TEST_F(DispatcherCoreTest, DeathsOfOneTaskOnTwoHostsAreTheTasks) {
  Submit({{.id = "a"}});
  AddAgent("one");
  AddAgent("two", "hosts/y");
  Pass(absl::Seconds(35), {"one", "two"});  // Whoever has it falls silent.
  Pass(absl::Seconds(20));
  ASSERT_EQ(AttemptNow("a", 1).reason, "LEASE_EXPIRED");
  for (auto& agent : agents_) {
    if (agent->held != Key("a", 2)) agent->session = nullptr;
  }
  const std::string first = AttemptNow("a", 1).host;
  if (AttemptNow("a", 2).host == first) {
    // The same host twice says less: three are needed.
    for (auto& agent : agents_) {
      if (agent->held == Key("a", 2)) Die(*agent);
    }
    ASSERT_NE(TaskNow("a").state, TaskState::kNeedsHuman);
  }
  for (int i = 0; i < 3 && TaskNow("a").state != TaskState::kNeedsHuman; ++i) {
    for (auto& agent : agents_) {
      if (agent->session != nullptr && agent->held.has_value()) Die(*agent);
    }
  }
  EXPECT_EQ(TaskNow("a").state, TaskState::kNeedsHuman);
  EXPECT_EQ(TaskNow("a").reason, "POISON");
}

TEST_F(DispatcherCoreTest, AHostThatEndsSeveralTasksAtOnceIsToBlameHoweverOften) {
  Submit({{.id = "a"}, {.id = "b"}});
  HandAgent& one = AddAgent("one");
  HandAgent& two = AddAgent("two");
  for (int outage = 0; outage < 6; ++outage) {
    ASSERT_TRUE(one.held.has_value() && two.held.has_value()) << outage;
    Die(one);
    Die(two);
    Pass(absl::Seconds(40));
  }
  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning);
  EXPECT_EQ(TaskNow("b").state, TaskState::kRunning);
  EXPECT_THAT(TaskNow("a").progress.deaths, IsEmpty());
}

TEST_F(DispatcherCoreTest, AnAgentThatIsGoneAfterARestartDiedOfNothingKnown) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  for (int restart = 0; restart < 4; ++restart) {
    ASSERT_TRUE(agent.held.has_value()) << restart;
    Restart();
    agent.held.reset();
    ++agent.boot_nonce;
    Dial(agent);
  }
  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning);
  EXPECT_THAT(TaskNow("a").progress.deaths, IsEmpty());
}

TEST_F(DispatcherCoreTest, AResultEndsTheRowOfDeaths) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  for (int round = 0; round < 3; ++round) {
    Die(agent);
    Die(agent);
    EXPECT_THAT(TaskNow("a").progress.deaths, ElementsAre("hosts/x", "hosts/x"));
    HandIn(agent, FailureResult{FailureClass::kProvider, "PROVIDER", "down"});
    EXPECT_THAT(TaskNow("a").progress.deaths, IsEmpty());
    Pass(absl::Minutes(3));
  }
  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning);
}

}  // namespace
}  // namespace slipway::dispatcher
