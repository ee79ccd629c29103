#include "services/dispatcher/domain/agent_roster.h"

#include <gmock/gmock.h>

#include <memory>
#include <vector>

namespace slipway::dispatcher {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kNow = absl::Seconds(100);

Settings OneHost(int slots, int warm) {
  Settings settings;
  settings.hosts = {
      {.name = "hosts/local", .driver = HostDriver::kProcess, .slots = slots, .warm = warm}};
  return settings;
}

Agent AgentIn(AgentState state, const std::string& id) {
  return {.id = id, .host = "hosts/local", .process = true, .state = state};
}

TEST(AgentRosterTest, StartsAsManyAgentsAsThereIsWorkWithinTheSlots) {
  const AgentRoster roster(OneHost(3, 0));
  EXPECT_THAT(roster.HostsToStartOn(2, kNow), SizeIs(2));
  EXPECT_THAT(roster.HostsToStartOn(9, kNow), SizeIs(3));
  EXPECT_THAT(roster.HostsToStartOn(0, kNow), IsEmpty());
}

TEST(AgentRosterTest, AgentsThatStartOrWaitCountAndBusyOnesTakeSlots) {
  AgentRoster roster(OneHost(3, 0));
  roster.Add(AgentIn(AgentState::kStarting, "a"));
  roster.Add(AgentIn(AgentState::kBusy, "b"));
  EXPECT_THAT(roster.HostsToStartOn(1, kNow), IsEmpty());
  EXPECT_THAT(roster.HostsToStartOn(5, kNow), SizeIs(1));
}

TEST(AgentRosterTest, KnowsForHowMuchWorkThereCouldBeAgents) {
  Settings settings = OneHost(3, 0);
  settings.hosts.push_back({.name = "hosts/far", .driver = HostDriver::kExternal, .slots = 5});
  AgentRoster roster(settings);
  EXPECT_EQ(roster.Startable(kNow), 8);
  roster.Add(AgentIn(AgentState::kBusy, "a"));
  roster.Add(AgentIn(AgentState::kIdle, "b"));
  Agent far{.id = "c", .host = "hosts/far", .state = AgentState::kBusy};
  roster.Add(far);
  EXPECT_EQ(roster.Startable(kNow), 2 + 4);
  roster.SetOrder({.host = "hosts/far", .cordoned = true});
  EXPECT_EQ(roster.Startable(kNow), 2);
}

TEST(AgentRosterTest, CountsAgentsThroughAllTheirChanges) {
  class Session final : public AgentSession {
    void Send(AgentOrder) override {}
    void End(absl::Status) override {}
  };
  AgentRoster roster(OneHost(9, 0));
  const auto counts = [&roster] {
    const HostStatus status = roster.Statuses(kNow).at(0);
    return std::vector<int>{status.agents, status.starting, status.busy};
  };
  roster.Add(AgentIn(AgentState::kStarting, "a"));
  Agent& b = roster.Add(AgentIn(AgentState::kStarting, "b"));
  EXPECT_THAT(counts(), ElementsAre(0, 2, 0));
  roster.SetSession(b, std::make_shared<Session>());
  roster.SetState(b, AgentState::kBusy);
  EXPECT_THAT(counts(), ElementsAre(1, 1, 1));
  roster.Add(AgentIn(AgentState::kBusy, "a"));
  EXPECT_THAT(counts(), ElementsAre(1, 0, 2)) << "in place of the first of that name";
  EXPECT_THAT(roster.HostsToStartOn(9, kNow), SizeIs(7));
  roster.SetSession(b, nullptr);
  roster.SetState(b, AgentState::kSpent);
  EXPECT_THAT(counts(), ElementsAre(0, 0, 1));
  roster.Remove("a");
  roster.Remove("b");
  roster.Remove("b");
  EXPECT_THAT(counts(), ElementsAre(0, 0, 0));
  EXPECT_THAT(roster.HostsToStartOn(9, kNow), SizeIs(9));
}

TEST(AgentRosterTest, KeepsWarmAgents) {
  const AgentRoster roster(OneHost(3, 2));
  EXPECT_THAT(roster.HostsToStartOn(0, kNow), SizeIs(2));
}

TEST(AgentRosterTest, AFailedStartWaitsLongerEachTimeAndSaysWhy) {
  AgentRoster roster(OneHost(1, 0));
  roster.NoteStartFailed("hosts/local", "no such program", kNow);
  EXPECT_THAT(roster.HostsToStartOn(1, kNow), IsEmpty());
  EXPECT_THAT(roster.HostsToStartOn(1, kNow + absl::Seconds(1)), SizeIs(1));
  roster.NoteStartFailed("hosts/local", "no such program", kNow);
  EXPECT_THAT(roster.HostsToStartOn(1, kNow + absl::Seconds(1)), IsEmpty());
  EXPECT_EQ(roster.Statuses(kNow).at(0).problem, "no such program");

  roster.NoteStarted("hosts/local");

  EXPECT_THAT(roster.HostsToStartOn(1, kNow), SizeIs(1));
  EXPECT_EQ(roster.Statuses(kNow).at(0).problem, "");
}

Settings TwoEngines(int warm) {
  Settings settings;
  settings.hosts = {
      {.name = "hosts/east", .driver = HostDriver::kDocker, .slots = 6, .warm = warm},
      {.name = "hosts/west", .driver = HostDriver::kDocker, .slots = 3, .warm = warm}};
  return settings;
}

Agent On(const std::string& host, AgentState state, const std::string& id) {
  return {.id = id, .host = host, .process = true, .state = state};
}

TEST(AgentRosterTest, WorkGoesWhereMostSlotsAreFree) {
  AgentRoster roster(TwoEngines(0));
  EXPECT_THAT(roster.HostsToStartOn(3, kNow),
              ElementsAre("hosts/east", "hosts/east", "hosts/west"));
  for (const char* const id : {"a", "b", "c", "d"}) {
    roster.Add(On("hosts/east", AgentState::kBusy, id));
  }
  EXPECT_THAT(roster.HostsToStartOn(1, kNow), ElementsAre("hosts/west"));
}

TEST(AgentRosterTest, AnEngineStartsFewAtOnceAndWorkIsNotCountedTwice) {
  AgentRoster roster(TwoEngines(0));
  EXPECT_THAT(roster.HostsToStartOn(100, kNow), SizeIs(4 + 3));
  roster.Add(On("hosts/east", AgentState::kStarting, "a"));
  roster.Add(On("hosts/west", AgentState::kIdle, "b"));
  EXPECT_THAT(roster.HostsToStartOn(2, kNow), IsEmpty());
  EXPECT_THAT(roster.HostsToStartOn(100, kNow), SizeIs(3 + 2));
}

TEST(AgentRosterTest, EachHostKeepsItsOwnWarmAgents) {
  AgentRoster roster(TwoEngines(1));
  EXPECT_THAT(roster.HostsToStartOn(0, kNow), ElementsAre("hosts/east", "hosts/west"));
  roster.Add(On("hosts/east", AgentState::kIdle, "a"));
  EXPECT_THAT(roster.HostsToStartOn(0, kNow), ElementsAre("hosts/west"));
  EXPECT_EQ(roster.Surplus("hosts/east"), 0);
  roster.Add(On("hosts/east", AgentState::kIdle, "b"));
  EXPECT_EQ(roster.Surplus("hosts/east"), 1);
}

TEST(AgentRosterTest, ACordonedHostGetsNeitherAgentsNorWork) {
  AgentRoster roster(TwoEngines(1));
  roster.SetOrder({.host = "hosts/east", .cordoned = true});
  EXPECT_THAT(roster.HostsToStartOn(5, kNow),
              ElementsAre("hosts/west", "hosts/west", "hosts/west"));
  EXPECT_TRUE(roster.Statuses(kNow).at(0).order.cordoned);

  roster.SetOrder({.host = "hosts/east"});

  EXPECT_THAT(roster.HostsToStartOn(1, kNow), Contains("hosts/east"));
}

TEST(AgentRosterTest, AHostThatCannotBeReachedIsLeftAloneUntilItCan) {
  AgentRoster roster(TwoEngines(0));
  roster.NoteReach("hosts/east", "the engine is away");
  roster.NoteStartFailed("hosts/east", "no container", kNow);
  EXPECT_THAT(roster.HostsToStartOn(2, kNow + absl::Hours(1)), Each("hosts/west"));
  EXPECT_EQ(roster.Statuses(kNow).at(0).problem, "the engine is away");
  EXPECT_FALSE(roster.Statuses(kNow).at(0).open);

  roster.NoteReach("hosts/east", "");

  EXPECT_THAT(roster.HostsToStartOn(1, kNow), ElementsAre("hosts/east"));
  EXPECT_EQ(roster.Statuses(kNow).at(0).problem, "");
}

}  // namespace
}  // namespace slipway::dispatcher
