#include "cli/demo/story.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

using events::v1::Event;
using ::testing::ElementsAre;
using ::testing::Field;

constexpr char kPlan[] = "projects/p/plans/n";

class StoryTest : public ::testing::Test {
 protected:
  Event Make(const std::string& task) {
    Event event;
    event.set_log("dispatcher");
    event.set_sequence(++sequence_);
    event.set_task(std::string(kPlan) + "/tasks/" + task);
    return event;
  }

  Event TaskState(const std::string& task, const std::string& from, const std::string& to) {
    Event event = Make(task);
    event.mutable_payload()->mutable_task_state_changed()->set_from(from);
    event.mutable_payload()->mutable_task_state_changed()->set_to(to);
    return event;
  }

  Event AttemptState(const std::string& attempt, const std::string& kind, const std::string& to) {
    Event event = Make("t");
    event.set_attempt(attempt);
    event.mutable_payload()->mutable_attempt_state_changed()->set_grant_kind(kind);
    event.mutable_payload()->mutable_attempt_state_changed()->set_to(to);
    return event;
  }

  int64_t sequence_ = 0;
  Story story_;
};

TEST_F(StoryTest, AnEventThatComesTwiceCountsOnce) {
  Event refused = Make("money");
  refused.mutable_payload()->mutable_patch_refused()->set_reason("SYMLINK");

  EXPECT_TRUE(story_.Add(refused));
  EXPECT_FALSE(story_.Add(refused));

  EXPECT_EQ(story_.refused(), 1);
}

TEST_F(StoryTest, TheSameSequenceOfAnotherLogIsAnotherEvent) {
  Event refused = Make("money");
  refused.mutable_payload()->mutable_patch_refused()->set_reason("SYMLINK");
  story_.Add(refused);
  refused.set_log("reviewer");

  EXPECT_TRUE(story_.Add(refused));
}

TEST_F(StoryTest, ATaskThatMergesCountsOnceAndTheIntegrationIsNoTask) {
  story_.Add(TaskState("money", "MERGING", "MERGED"));
  story_.Add(TaskState("money", "MERGING", "MERGED"));
  story_.Add(TaskState("integration", "MERGING", "MERGED"));

  EXPECT_EQ(story_.merged(), 1);
}

TEST_F(StoryTest, OnlyTriesThatCameBackFromReviewAreRetried) {
  story_.Add(TaskState("money", "INSPECTING", "READY"));
  story_.Add(TaskState("money", "VALIDATING", "READY"));
  story_.Add(TaskState("money", "JUDGING", "READY"));
  story_.Add(TaskState("money", "PAUSED", "READY"));
  story_.Add(TaskState("money", "BLOCKED", "READY"));
  story_.Add(TaskState("money", "RUNNING", "READY"));
  story_.Add(TaskState("money", "MERGING", "INSPECTING"));

  EXPECT_EQ(story_.retried(), 3);
}

TEST_F(StoryTest, ParallelIsHowManyAgentsWroteAtOnce) {
  story_.Add(AttemptState("a", "WORK", "ACTIVE"));
  story_.Add(AttemptState("v", "VALIDATE", "ACTIVE"));
  story_.Add(AttemptState("a", "WORK", "REPORTED"));
  story_.Add(AttemptState("b", "WORK", "ACTIVE"));
  EXPECT_EQ(story_.parallel_max(), 1);

  story_.Add(AttemptState("c", "WORK", "ACTIVE"));
  EXPECT_EQ(story_.parallel_max(), 2);
}

TEST_F(StoryTest, OnlyChangesThatValidatorsRejectedAndGapsAreIncidents) {
  // It runs again, and then the change is rejected.
  Event evidence = Make("money");
  evidence.mutable_payload()->mutable_evidence_recorded()->add_failed("unit-tests");
  Event failed = AttemptState("a", "WORK", "REJECTED");
  failed.mutable_payload()->mutable_attempt_state_changed()->set_reason("VALIDATORS_FAILED");
  failed.mutable_payload()->mutable_attempt_state_changed()->set_detail("unit-tests\nand more");
  Event refused = AttemptState("a", "WORK", "REJECTED");
  refused.mutable_payload()->mutable_attempt_state_changed()->set_reason("SYMLINK");
  Event good = Make("money");
  good.mutable_payload()->mutable_verdict_given()->set_verdict("PASSED");
  Event gaps = Make("money");
  gaps.mutable_payload()->mutable_verdict_given()->set_verdict("GAPS_FOUND");
  gaps.mutable_payload()->mutable_verdict_given()->set_summary("no test");
  for (const Event& event : {evidence, failed, refused, good, gaps}) story_.Add(event);

  EXPECT_EQ(story_.failed(), 1);
  EXPECT_EQ(story_.gaps(), 1);
  EXPECT_THAT(story_.incidents(), ElementsAre(Field(&Story::Incident::text, "unit-tests"),
                                              Field(&Story::Incident::text, "no test")));
}

TEST_F(StoryTest, CountsTheRepairsOfAgentsAndNoOtherNote) {
  Event check = Make("money");
  check.mutable_payload()->mutable_attempt_progressed()->set_phase("check");
  Event repair = Make("money");
  repair.mutable_payload()->mutable_attempt_progressed()->set_phase("repair");
  repair.mutable_payload()->mutable_attempt_progressed()->set_detail("asking for repair 1 of 2");
  for (const Event& event : {check, repair}) story_.Add(event);

  EXPECT_EQ(story_.repairs(), 1);
  EXPECT_EQ(story_.retried(), 0);
  EXPECT_THAT(story_.incidents(),
              ElementsAre(Field(&Story::Incident::text, "asking for repair 1 of 2")));
}

TEST_F(StoryTest, ALimitThatIsSetFirstOrLoweredIsNotRaised) {
  Event denied = Make("docs");
  denied.mutable_payload()->mutable_budget_denied()->set_requested(2'000'000);
  story_.Add(denied);
  const int64_t limits[][2] = {{-1, 5}, {5, 4}, {4, 9}};
  for (const auto& [before, after] : limits) {
    Event changed = Make("docs");
    changed.mutable_payload()->mutable_budget_changed()->set_old_limit(before);
    changed.mutable_payload()->mutable_budget_changed()->set_new_limit(after);
    story_.Add(changed);
  }

  EXPECT_EQ(story_.budget_denials(), 1);
  EXPECT_THAT(story_.incidents(),
              ElementsAre(Field(&Story::Incident::kind, Story::Incident::Kind::kDenied),
                          Field(&Story::Incident::kind, Story::Incident::Kind::kRaised)));
}

}  // namespace
}  // namespace slipway::cli
