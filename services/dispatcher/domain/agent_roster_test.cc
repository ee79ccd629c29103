#include "services/dispatcher/domain/agent_roster.h"

#include <gmock/gmock.h>

namespace slipway::dispatcher {
namespace {

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

}  // namespace
}  // namespace slipway::dispatcher
