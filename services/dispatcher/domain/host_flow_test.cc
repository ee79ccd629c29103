#include "services/dispatcher/domain/host_flow.h"

#include <gmock/gmock.h>

#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kEngine[] = "hosts/east";
constexpr char kLocal[] = "hosts/local";

class FakeFleet final : public AgentFleet {
 public:
  void Start(Order order) override { started.push_back(std::move(order)); }
  void Retire(const std::string& agent) override { retired.push_back(agent); }
  void Adopt(const std::vector<StartIntent>& intents) override {
    for (const StartIntent& intent : intents) adopted.push_back(intent.agent);
  }

  std::vector<Order> started;
  std::vector<std::string> retired;
  std::vector<std::string> adopted;
};

Settings TwoHosts() {
  Settings settings;
  settings.hosts = {{.name = kEngine, .driver = HostDriver::kDocker, .slots = 2, .warm = 1},
                    {.name = kLocal, .driver = HostDriver::kProcess, .slots = 1}};
  return settings;
}

class HostFlowTest : public ::testing::Test {
 protected:
  void RunEffects() {
    for (Outbox::Effect& effect : outbox_.Take()) std::move(effect)();
  }
  void AddIdle(const std::string& id) {
    roster_.Add({.id = id, .host = kEngine, .process = true, .state = AgentState::kIdle});
  }

  const Settings settings_ = TwoHosts();
  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
  Board board_{clock_};
  TaskFlow tasks_{board_, settings_, clock_, [] { return 0.5; }};
  AgentRoster roster_{settings_};
  Outbox outbox_;
  FakeFleet fleet_;
  HostFlow hosts_{{.board = board_,
                   .tasks = tasks_,
                   .roster = roster_,
                   .outbox = outbox_,
                   .fleet = fleet_,
                   .clock = clock_,
                   .ids = ids_,
                   .settings = settings_}};
};

TEST_F(HostFlowTest, AContainersIntentIsInTheChangeThatComesBeforeItsStart) {
  hosts_.Scale(0);

  const ChangeSet changes = board_.TakeChanges(/*commit=*/1);
  ASSERT_THAT(changes.starts, SizeIs(1));
  EXPECT_FALSE(changes.empty());
  EXPECT_THAT(fleet_.started, IsEmpty());

  RunEffects();

  ASSERT_THAT(fleet_.started, SizeIs(1));
  EXPECT_EQ(fleet_.started[0].agent, changes.starts[0].agent);
  EXPECT_EQ(AgentTokens::Digest(fleet_.started[0].token), changes.starts[0].token_digest);
  hosts_.OnAgentExited(fleet_.started[0].agent);
  EXPECT_THAT(board_.TakeChanges(/*commit=*/1).ended_starts, ElementsAre(fleet_.started[0].agent));
}

TEST_F(HostFlowTest, ChildProcessesEndWithTheDispatcherAndNeedNoIntent) {
  ASSERT_OK(hosts_.Cordon(kEngine, "", "alice"));
  board_.TakeChanges(/*commit=*/1);

  hosts_.Scale(5);
  RunEffects();

  ASSERT_THAT(fleet_.started, SizeIs(1));
  EXPECT_EQ(fleet_.started[0].host, kLocal);
  EXPECT_TRUE(board_.TakeChanges(/*commit=*/1).empty());
}

TEST_F(HostFlowTest, ARestartAdoptsWhatItsHostsMayRunAndForgetsTheRest) {
  hosts_.Restore(
      {{.agent = "agent-1", .host = kEngine}, {.agent = "agent-2", .host = "hosts/gone"}},
      {{.host = kEngine, .cordoned = true, .reason = "new kernel"}});

  EXPECT_THAT(fleet_.adopted, ElementsAre("agent-1"));
  EXPECT_THAT(board_.TakeChanges(/*commit=*/1).ended_starts, ElementsAre("agent-2"));
  EXPECT_EQ(hosts_.List().at(0).order.reason, "new kernel");
  EXPECT_EQ(hosts_.List().at(0).starting, 1);
}

TEST_F(HostFlowTest, ContainersThatWaitInVainAreLetGoButForTheWarmOnes) {
  AddIdle("a");
  AddIdle("b");
  hosts_.CheckHosts();
  clock_.Advance(absl::Seconds(119));
  hosts_.CheckHosts();
  RunEffects();
  EXPECT_THAT(fleet_.retired, IsEmpty());

  clock_.Advance(absl::Seconds(1));
  hosts_.CheckHosts();
  RunEffects();

  EXPECT_THAT(fleet_.retired, SizeIs(1));
  hosts_.CheckHosts();
  RunEffects();
  EXPECT_THAT(fleet_.retired, SizeIs(1));
}

// For whoever starts agents of an external host: a pause between two tasks is no reason to end
// them.
TEST_F(HostFlowTest, WhatAHostWantsRisesAtOnceAndFallsAfterAMinute) {
  const auto wanted = [this] { return hosts_.List().at(0).wanted; };
  roster_.Add({.id = "b",
               .host = kEngine,
               .process = true,
               .state = AgentState::kBusy,
               .attempt = AttemptKey{.task = {.plan = "p", .id = "t"}, .epoch = 1}});
  hosts_.Scale(5);
  EXPECT_EQ(wanted(), 2) << "one works, and there is one more slot";
  EXPECT_EQ(hosts_.List().at(0).waiting, 1);

  roster_.Remove("b");
  hosts_.Scale(0);
  clock_.Advance(absl::Seconds(59));
  hosts_.Scale(1);
  EXPECT_EQ(wanted(), 2);
  clock_.Advance(absl::Seconds(1));
  hosts_.Scale(0);

  EXPECT_EQ(wanted(), 1) << "the most of the last minute";
  clock_.Advance(absl::Minutes(2));
  hosts_.Scale(0);
  clock_.Advance(absl::Minutes(1));
  hosts_.Scale(0);
  EXPECT_EQ(wanted(), 0);
}

TEST_F(HostFlowTest, AHostThatIsCordonedWantsNobodyNew) {
  ASSERT_OK(hosts_.Cordon(kEngine, "", "alice"));

  hosts_.Scale(5);

  EXPECT_EQ(hosts_.List().at(0).wanted, 0);
}

// The cluster would end it by its age, whatever it does by then.
TEST_F(HostFlowTest, AWarmContainerIsReplacedBeforeItIsTooOldForAnAttempt) {
  AddIdle("a");
  hosts_.CheckHosts();
  clock_.Advance(absl::Hours(12) - absl::Seconds(1));
  hosts_.CheckHosts();
  RunEffects();
  EXPECT_THAT(fleet_.retired, IsEmpty());

  clock_.Advance(absl::Seconds(1));
  hosts_.CheckHosts();
  RunEffects();

  EXPECT_THAT(fleet_.retired, ElementsAre("a"));
  EXPECT_GT(kContainerLifetimeMax, kIdleAgeMax + kAttemptTimeoutMax);
}

TEST_F(HostFlowTest, ADrainEmptiesAHostAndIsStoredUntilItIsEnded) {
  AddIdle("a");
  ASSERT_OK_AND_ASSIGN(const HostStatus drained,
                       hosts_.Drain(kEngine, absl::Minutes(5), "new kernel", "alice"));
  EXPECT_TRUE(drained.order.cordoned);
  EXPECT_EQ(*drained.order.drain_deadline, clock_.Now() + absl::Minutes(5));
  EXPECT_THAT(board_.TakeChanges(/*commit=*/1).host_orders, SizeIs(1));

  hosts_.CheckHosts();
  hosts_.Scale(0);
  RunEffects();

  EXPECT_THAT(fleet_.retired, ElementsAre("a"));
  EXPECT_THAT(fleet_.started, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const HostStatus open, hosts_.Uncordon(kEngine, "alice"));
  EXPECT_FALSE(open.order.draining);
  EXPECT_FALSE(board_.TakeChanges(/*commit=*/1).host_orders.at(0).cordoned);
}

TEST_F(HostFlowTest, AHostThatIsNotConfiguredIsRefused) {
  EXPECT_THAT(hosts_.Cordon("hosts/north", "", "alice").status(), FailsWithReason("HOST_UNKNOWN"));
  EXPECT_THAT(hosts_.Uncordon("east", "alice").status(), FailsWithReason("HOST_UNKNOWN"));
  EXPECT_TRUE(board_.TakeChanges(/*commit=*/1).empty());
}

TEST_F(HostFlowTest, AStopLeavesThoseThatWorkToTheNextDispatcher) {
  AddIdle("a");
  roster_.Add({.id = "b",
               .host = kEngine,
               .process = true,
               .state = AgentState::kBusy,
               .attempt = AttemptKey{.task = {.plan = "p", .id = "t"}, .epoch = 1}});

  hosts_.ReleaseIdle();
  RunEffects();

  EXPECT_THAT(fleet_.retired, ElementsAre("a"));
}

}  // namespace
}  // namespace slipway::dispatcher
