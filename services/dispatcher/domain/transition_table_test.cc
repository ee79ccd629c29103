#include "services/dispatcher/domain/transition_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

namespace slipway::dispatcher {
namespace {

TEST(TransitionTableTest, EveryTaskStateIsReachedFromTheFirstTwo) {
  std::set<TaskState> reached = {TaskState::kBlocked};
  for (size_t before = 0; before != reached.size();) {
    before = reached.size();
    for (const TaskTransition& t : TaskTransitions()) {
      if (reached.count(t.from) > 0) reached.insert(t.to);
    }
  }
  EXPECT_EQ(reached.size(), static_cast<size_t>(kTaskStates));
}

TEST(TransitionTableTest, EveryAttemptStateIsReachedFromOffered) {
  std::set<AttemptState> reached = {AttemptState::kOffered};
  for (size_t before = 0; before != reached.size();) {
    before = reached.size();
    for (const AttemptTransition& t : AttemptTransitions()) {
      if (reached.count(t.from) > 0) reached.insert(t.to);
    }
  }
  EXPECT_EQ(reached.size(), static_cast<size_t>(kAttemptStates));
}

TEST(TransitionTableTest, NothingLeavesMergedAndOnlyPeopleReviveOtherEnds) {
  for (const TaskTransition& t : TaskTransitions()) {
    EXPECT_NE(t.from, TaskState::kMerged);
    EXPECT_TRUE(!IsEnd(t.from) || t.command == TaskCommand::kRevive);
  }
}

TEST(TransitionTableTest, EveryStateThatIsNotAnEndCanBeCancelled) {
  for (int number = 1; number <= kTaskStates; ++number) {
    const auto state = static_cast<TaskState>(number);
    EXPECT_EQ(Allows(state, TaskCommand::kCancel), !IsEnd(state)) << Name(state);
  }
}

TEST(TransitionTableTest, EveryStateThatIsNotAnEndLeadsToMerged) {
  std::set<TaskState> leads = {TaskState::kMerged};
  for (size_t before = 0; before != leads.size();) {
    before = leads.size();
    for (const TaskTransition& t : TaskTransitions()) {
      if (leads.count(t.to) > 0) leads.insert(t.from);
    }
  }
  EXPECT_EQ(leads.size(), static_cast<size_t>(kTaskStates));
}

TEST(TransitionTableTest, NoTransitionIsListedTwice) {
  std::set<std::tuple<TaskState, TaskCommand, TaskState>> seen;
  for (const TaskTransition& t : TaskTransitions()) {
    EXPECT_TRUE(seen.emplace(t.from, t.command, t.to).second)
        << Name(t.from) << " " << Name(t.command) << " " << Name(t.to);
  }
}

TEST(TransitionTableTest, AnAttemptThatEndedHoldsNothing) {
  for (const AttemptTransition& t : AttemptTransitions()) {
    EXPECT_TRUE(IsLive(t.from) || !IsLive(t.to));
  }
}

TEST(TransitionTableTest, TheReadmeShowsTheTable) {
  std::ifstream file(SLIPWAY_DISPATCHER_README);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find(TransitionsAsMarkdown()), std::string::npos)
      << "put this into services/dispatcher/README.md:\n"
      << TransitionsAsMarkdown();
}

}  // namespace
}  // namespace slipway::dispatcher
