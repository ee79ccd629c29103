#include "services/models/domain/running_calls.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "lib/testkit/matchers.h"
#include "services/models/domain/unsettled_answers.h"

namespace slipway::models {
namespace {

using testkit::FailsWithReason;

TEST(RunningCallsTest, PlacesAreLimitedAndComeBack) {
  RunningCalls calls(2);
  ASSERT_OK_AND_ASSIGN(RunningCalls::Place first, calls.TakePlace());
  ASSERT_OK_AND_ASSIGN(const RunningCalls::Place second, calls.TakePlace());
  EXPECT_THAT(calls.TakePlace(), FailsWithReason("CALLS_EXHAUSTED"));

  first.reset();

  EXPECT_OK(calls.TakePlace());
}

TEST(RunningCallsTest, RepeatWaitsForTheCallBeforeItInOrder) {
  RunningCalls calls(10);
  Cancellation cancellation;
  std::vector<int> order;
  std::optional<RunningCalls::Entry> first(std::in_place, calls, "id", "", cancellation);
  std::optional<RunningCalls::Entry> second(std::in_place, calls, "id", "", cancellation);
  RunningCalls::Entry third(calls, "id", "", cancellation);
  RunningCalls::Entry other(calls, "other", "", cancellation);
  first->OnAlone([&](bool at_once) { order.push_back(at_once ? 1 : -1); });
  second->OnAlone([&](bool at_once) { order.push_back(at_once ? 2 : -2); });
  third.OnAlone([&](bool at_once) { order.push_back(at_once ? 3 : -3); });
  other.OnAlone([&](bool at_once) { order.push_back(at_once ? 4 : -4); });
  EXPECT_EQ(calls.size(), 4u);
  EXPECT_EQ(order, (std::vector<int>{1, 4}));

  first.reset();
  EXPECT_EQ(order, (std::vector<int>{1, 4, -2}));
  second.reset();

  EXPECT_EQ(order, (std::vector<int>{1, 4, -2, -3}));
  EXPECT_EQ(calls.size(), 2u);
}

TEST(RunningCallsTest, OnlyCallsOfTheKeysAreCancelledAndAllOnceItStops) {
  RunningCalls calls(10);
  Cancellation of_key;
  Cancellation without_key;
  Cancellation late;
  const RunningCalls::Entry first(calls, "1", "key", of_key);
  const RunningCalls::Entry second(calls, "2", "", without_key);

  calls.CancelKeys({"key", ""}, "KEY_REVOKED");
  EXPECT_EQ(of_key.why(), "KEY_REVOKED");
  EXPECT_FALSE(without_key.cancelled());
  calls.CancelAll("SERVICE_STOPS");
  const RunningCalls::Entry third(calls, "3", "", late);

  EXPECT_EQ(without_key.why(), "SERVICE_STOPS");
  EXPECT_EQ(late.why(), "SERVICE_STOPS");
}

TEST(UnsettledAnswersTest, NextCallOfTheAttemptWaitsForAllOfThem) {
  UnsettledAnswers answers;
  std::vector<int> order;
  answers.OnNone("a", [&](bool at_once) { order.push_back(at_once ? 1 : -1); });
  std::optional<UnsettledAnswers::Entry> one(std::in_place, answers, "a");
  std::optional<UnsettledAnswers::Entry> two(std::in_place, answers, "a");
  answers.OnNone("b", [&](bool at_once) { order.push_back(at_once ? 2 : -2); });
  answers.OnNone("a", [&](bool at_once) { order.push_back(at_once ? 3 : -3); });

  one.reset();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  two.reset();

  EXPECT_EQ(order, (std::vector<int>{1, 2, -3}));
}

}  // namespace
}  // namespace slipway::models
