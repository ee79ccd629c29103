#include "agent/e2e/agent_fixture.h"

namespace slipway::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kBlocks[] =
    "Here it is.\n\ngreeting.txt\n<<<<<<< SEARCH\nhello\n=======\ngood morning\n"
    ">>>>>>> REPLACE\n";

class WorkTest : public AgentFixture {
 protected:
  void SetUp() override {
    AgentFixture::SetUp();
    Put("greeting.txt", "hello\nworld\n");
    Put("src/app.py", "print('app')\n");
    commit_ = CommitAll(repository_, "base");
  }
  void OfferWork() { dispatcher_.Offer(WriteGrant(commit_), PackOf(commit_)); }

  git::Oid commit_;
};

struct Format {
  const char* name;
  const char* reply;
};
class EveryFormat : public WorkTest, public ::testing::WithParamInterface<Format> {};

TEST_P(EveryFormat, BecomesAPatchThatGitApplies) {
  models_->Add({.text = GetParam().reply});
  OfferWork();

  const v1::SubmitResultRequest result = RunToResult();

  ASSERT_TRUE(result.has_change()) << result.ShortDebugString();
  EXPECT_EQ(result.attempt(), kAttempt);
  EXPECT_EQ(result.epoch(), 1);
  EXPECT_EQ(Apply(commit_, result.change().patch()), result.change().tree());
  EXPECT_EQ(Show(result.change().tree(), "greeting.txt"), "good morning\nworld\n");
}

INSTANTIATE_TEST_SUITE_P(
    , EveryFormat,
    ::testing::Values(Format{"SearchReplace", kBlocks},
                      Format{"UnifiedDiff",
                             "```diff\n--- a/greeting.txt\n+++ b/greeting.txt\n@@ -1,2 +1,2 @@\n"
                             "-hello\n+good morning\n world\n```\n"},
                      Format{"JsonEdits", R"({"edits":[{"path":"greeting.txt","op":"replace",)"
                                          R"("old":"hello","new":"good morning"}]})"},
                      Format{"FencedJson",
                             "```json\n{\"edits\":[{\"path\":\"greeting.txt\",\"op\":\"write\","
                             "\"content\":\"good morning\\nworld\\n\"}]}\n```\n"},
                      Format{"PatchEnvelope",
                             "*** Begin Patch\n*** Update File: greeting.txt\n@@\n-hello\n"
                             "+good morning\n world\n*** End Patch\n"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(WorkTest, PromptHoldsTheTaskAndAllThatIsKnown) {
  models_->Add({.text = kBlocks});
  v1::Grant grant = WriteGrant(commit_);
  grant.mutable_write_change()->clear_allowed_paths();
  grant.mutable_write_change()->add_allowed_paths("greeting.*");
  grant.mutable_write_change()->add_acceptance("It says good morning.");
  grant.mutable_write_change()->add_feedback("first mistake");
  grant.mutable_write_change()->add_feedback("second mistake");
  grant.mutable_write_change()->set_guidance("Be brief.");
  dispatcher_.Offer(grant, PackOf(commit_));

  ASSERT_TRUE(RunToResult().has_change());

  const std::string prompt = models_->Question(0);
  for (const char* part :
       {"Greet politely", "Make the greeting polite.", "It says good morning.", "greeting.*",
        "first mistake", "second mistake", "Be brief.", "src/app.py", "hello\nworld"}) {
    EXPECT_THAT(prompt, HasSubstr(part));
  }
  EXPECT_LT(prompt.find("first mistake"), prompt.find("second mistake"));
  EXPECT_THAT(prompt, Not(HasSubstr("print('app')")));
  EXPECT_EQ(models_->calls()[0]["model"], "writer");
  EXPECT_EQ(models_->keys()[0], std::string("Bearer ") + kModelKey);
}

TEST_F(WorkTest, TellsPhasesAndTheLogWithoutTheKey) {
  models_->Add({.text = absl::StrCat("The key is ", kModelKey, " \x1b[31mred\x1b[0m.\n", kBlocks)});
  OfferWork();

  ASSERT_TRUE(RunToResult().has_change());

  EXPECT_FALSE(dispatcher_.log_has_gap);
  EXPECT_THAT(dispatcher_.log, HasSubstr("The key is [redacted] red."));
  EXPECT_THAT(dispatcher_.log, HasSubstr("good morning"));
  EXPECT_THAT(AgentLog(), Not(HasSubstr(kModelKey)));
  std::vector<std::string> phases;
  for (const v1::Progress& note : dispatcher_.progress) phases.push_back(note.phase());
  EXPECT_THAT(phases,
              ::testing::ElementsAre("snapshot", "context", "model", "edit", "check", "report"));
  ASSERT_EQ(dispatcher_.answers.size(), 1u);
  EXPECT_TRUE(dispatcher_.answers[0].accepted());
}

TEST_F(WorkTest, AsksAgainWithTheExactError) {
  models_->Add({.text = "greeting.txt\n<<<<<<< SEARCH\nhallo\n=======\nx\n>>>>>>> REPLACE\n"});
  models_->Add({.text = kBlocks});
  OfferWork();

  ASSERT_TRUE(RunToResult().has_change());

  ASSERT_EQ(models_->calls().size(), 2u);
  EXPECT_EQ(models_->calls()[1]["messages"].size(), 4u);
  EXPECT_THAT(models_->Question(1), HasSubstr("greeting.txt"));
  EXPECT_THAT(models_->Question(1), HasSubstr("hallo"));
}

TEST_F(WorkTest, FailsWhenNoRoundRepairsTheEdit) {
  models_->Add({.text = "I cannot do that."});
  OfferWork();

  const v1::SubmitResultRequest result = RunToResult();

  ASSERT_TRUE(result.has_failure());
  EXPECT_EQ(result.failure().class_(), v1::Failure::CLASS_AGENT);
  EXPECT_EQ(result.failure().reason(), "NO_EDIT");
  EXPECT_EQ(models_->calls().size(), 3u);
}

TEST_F(WorkTest, AnEditThatChangesNothingFails) {
  models_->Add({.text = R"({"edits":[{"path":"greeting.txt","op":"write",)"
                        R"("content":"hello\nworld\n"}]})"});
  OfferWork();

  const v1::SubmitResultRequest result = RunToResult();

  EXPECT_EQ(result.failure().class_(), v1::Failure::CLASS_AGENT);
  EXPECT_EQ(result.failure().reason(), "EMPTY_CHANGE");
}

TEST_F(WorkTest, ADeniedBudgetStopsWithoutFault) {
  models_->Add(
      {.text = "the plan's limit is spent", .status = 402, .error_code = "insufficient_quota"});
  OfferWork();

  const v1::SubmitResultRequest result = RunToResult();

  ASSERT_TRUE(result.has_stop());
  EXPECT_EQ(result.stop().reason(), v1::Stop::REASON_BUDGET);
  EXPECT_THAT(result.stop().detail(), HasSubstr("the plan's limit is spent"));
  EXPECT_EQ(models_->calls().size(), 1u);
}

TEST_F(WorkTest, ALongRateLimitStopsWithItsDelay) {
  models_->Add({.text = "closed", .status = 429, .retry_after = "90"});
  OfferWork();

  const v1::SubmitResultRequest result = RunToResult();

  ASSERT_TRUE(result.has_stop());
  EXPECT_EQ(result.stop().reason(), v1::Stop::REASON_RATE_LIMIT);
  EXPECT_EQ(result.stop().retry_delay().seconds(), 90);
}

TEST_F(WorkTest, AShortRateLimitIsWaitedFor) {
  models_->Add({.text = "busy", .status = 429, .retry_after = "0"});
  models_->Add({.text = kBlocks});
  OfferWork();

  EXPECT_TRUE(RunToResult().has_change());
}

TEST_F(WorkTest, ABrokenReplyIsAskedForAgain) {
  models_->Add({.text = kBlocks, .cut_off = true});
  models_->Add({.text = "upstream", .status = 503});
  models_->Add({.text = kBlocks, .streamed = false});
  OfferWork();

  EXPECT_TRUE(RunToResult().has_change());
  EXPECT_EQ(models_->calls().size(), 3u);
}

TEST_F(WorkTest, ARefusedKeyFails) {
  models_->Add({.text = "bad key", .status = 401});
  OfferWork();

  const v1::SubmitResultRequest result = RunToResult();

  EXPECT_EQ(result.failure().class_(), v1::Failure::CLASS_INFRASTRUCTURE);
  EXPECT_EQ(result.failure().reason(), "MODEL_KEY_REFUSED");
}

TEST_F(WorkTest, IgnoredAndFilteredFilesKeepTheirBytes) {
  Put(".gitignore", "*.log\n");
  Put(".gitattributes", "*.txt text eol=lf\n*.c ident\n");
  const git::Oid commit = CommitAll(repository_, "rules");
  models_->Add({.text = R"({"edits":[{"path":"a.log","op":"write","content":"kept\n"},)"
                        R"({"path":"b.txt","op":"write","content":"one\r\ntwo\r\n"},)"
                        R"({"path":"c.c","op":"write","content":"$Id: 42 $\n"}]})"});
  dispatcher_.Offer(WriteGrant(commit), PackOf(commit));

  const v1::SubmitResultRequest result = RunToResult();

  ASSERT_TRUE(result.has_change()) << result.ShortDebugString();
  EXPECT_EQ(Apply(commit, result.change().patch()), result.change().tree());
  EXPECT_EQ(Show(result.change().tree(), "a.log"), "kept\n");
  EXPECT_EQ(Show(result.change().tree(), "b.txt"), "one\r\ntwo\r\n");
  EXPECT_EQ(Show(result.change().tree(), "c.c"), "$Id: 42 $\n");
}

}  // namespace
}  // namespace slipway::agent
