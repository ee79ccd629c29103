#include "agent/e2e/agent_fixture.h"

namespace slipway::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// What a model answers to make greeting.txt hold `line`.
std::string Writes(const std::string& line) {
  return absl::StrCat("greeting.txt\n<<<<<<< SEARCH\nhello\n=======\n", line,
                      "\n>>>>>>> REPLACE\n");
}

class RepairTest : public AgentFixture {
 protected:
  void SetUp() override {
    AgentFixture::SetUp();
    Put("greeting.txt", "hello\nworld\n");
    commit_ = CommitAll(repository_, "base");
  }

  // A grant to write, with shell scripts as its validators.
  v1::Grant GrantWith(const std::vector<std::string>& scripts) {
    v1::Grant grant = WriteGrant(commit_);
    for (const std::string& script : scripts) {
      common::v1::Validator& validator = *grant.mutable_write_change()->add_validators();
      validator.set_name(absl::StrCat("check-", grant.write_change().validators_size()));
      for (const std::string& word : {std::string("sh"), std::string("-c"), script}) {
        validator.add_command(word);
      }
    }
    return grant;
  }
  v1::SubmitResultRequest Work(const v1::Grant& grant) {
    dispatcher_.Offer(grant, PackOf(commit_));
    v1::SubmitResultRequest result = RunToResult();
    EXPECT_TRUE(result.has_change()) << result.ShortDebugString();
    return result;
  }
  void ExpectOnlyGreeting(const v1::Change& change, const std::string& line) {
    EXPECT_EQ(Apply(commit_, change.patch()), change.tree());
    EXPECT_EQ(Git(repository_, {"diff-tree", "-r", "--name-only", commit_.ToHex(), change.tree()}),
              "greeting.txt");
    EXPECT_EQ(Show(change.tree(), "greeting.txt"), line + "\nworld\n");
  }
  std::vector<std::string> Notes() {
    std::vector<std::string> notes;
    for (const v1::Progress& note : dispatcher_.progress) {
      notes.push_back(absl::StrCat(note.phase(), ": ", note.detail()));
    }
    return notes;
  }
  git::Oid commit_;
};

TEST_F(RepairTest, AFailedValidatorGoesBackToTheSameConversation) {
  models_->Add({.text = Writes("good evening")});
  models_->Add({.text = Writes("good morning")});

  const v1::Change change =
      Work(GrantWith({"cat greeting.txt; grep -q morning greeting.txt"})).change();

  ExpectOnlyGreeting(change, "good morning");
  ASSERT_EQ(models_->calls().size(), 2u);
  EXPECT_EQ(models_->calls()[1]["messages"].size(), 4u);
  EXPECT_EQ(models_->calls()[1]["messages"][1], models_->calls()[0]["messages"][1]);
  EXPECT_THAT(models_->calls()[1]["messages"][2]["content"].get<std::string>(),
              HasSubstr("good evening"));
  EXPECT_THAT(models_->Question(1),
              AllOf(HasSubstr("'check-1' failed with exit code 1"),
                    HasSubstr("sh -c cat greeting.txt; grep"), HasSubstr("good evening\nworld\n")));
  ASSERT_EQ(change.outcomes_size(), 1);
  EXPECT_EQ(change.outcomes(0).exit_code(), 0);
  EXPECT_EQ(change.repair_rounds(), 1);
  EXPECT_THAT(change.summary(), HasSubstr("check-1 passed (run by the agent)"));
  EXPECT_EQ(dispatcher_.snapshots, 1);
}

TEST_F(RepairTest, RoundsAreSeenInTheLogAndTheNotes) {
  models_->Add({.text = Writes("good evening")});
  models_->Add({.text = Writes("good morning")});

  Work(GrantWith({"grep -q morning greeting.txt"}));

  EXPECT_THAT(
      Notes(),
      AllOf(Contains("check: check-1"), Contains("check: check-1 failed with exit code 1"),
            Contains("repair: asking for repair 1 of 2"), Contains("check: check-1 passed")));
  for (const char* line :
       {"== the snapshot is unpacked\n", "bytes to role writer, waiting for", "== check-1 failed\n",
        "== asking for repair 1 of 2\n", "== check-1 passed\n", "== every validator passed\n"}) {
    EXPECT_THAT(dispatcher_.log, HasSubstr(line));
  }
}

TEST_F(RepairTest, TheLogSaysAtOnceWhatTheAttemptWaitsFor) {
  models_->Add({.hang = true});
  dispatcher_.Offer(GrantWith({}), PackOf(commit_));
  StartAgent();

  EXPECT_TRUE(dispatcher_.Await([this] {
    return absl::StrContains(dispatcher_.log, "bytes to role writer, waiting for the model\n");
  })) << dispatcher_.log;
}

TEST_F(RepairTest, WhatValidatorsWriteIsNotInTheChange) {
  models_->Add({.text = Writes("good morning")});

  const v1::Change change =
      Work(GrantWith({"echo formatted > greeting.txt; echo x > new.txt; mkdir -p __pycache__; "
                      "echo y > __pycache__/a.pyc; rm -rf .git",
                      "cat greeting.txt; test ! -e new.txt && git status --porcelain"}))
          .change();

  ExpectOnlyGreeting(change, "good morning");
  ASSERT_EQ(change.outcomes_size(), 2);
  EXPECT_EQ(change.outcomes(1).exit_code(), 0);
  EXPECT_EQ(change.outcomes(1).output_tail(), "good morning\nworld\n");
}

TEST_F(RepairTest, ARepairIsAppliedToTheFilesOfTheSnapshot) {
  models_->Add({.text = R"({"edits":[{"path":"stray.txt","op":"write","content":"x\n"}]})"});
  models_->Add({.text = Writes("good morning")});

  ExpectOnlyGreeting(Work(GrantWith({"grep -q morning greeting.txt"})).change(), "good morning");
}

TEST_F(RepairTest, TheBestChangeIsHandedInWhenTheRoundsAreSpent) {
  models_->Add({.text = Writes("one")});
  models_->Add({.text = Writes("two good")});
  models_->Add({.text = Writes("three")});

  const v1::Change change = Work(GrantWith({"grep -q good greeting.txt", "exit 7"})).change();

  ExpectOnlyGreeting(change, "two good");
  EXPECT_EQ(models_->calls().size(), 3u);
  EXPECT_EQ(change.repair_rounds(), 2);
  ASSERT_EQ(change.outcomes_size(), 2);
  EXPECT_EQ(change.outcomes(1).exit_code(), 7);
  EXPECT_THAT(dispatcher_.log, HasSubstr("the rounds of repair are spent"));
}

TEST_F(RepairTest, AnEditThatDoesNotApplySpendsARoundToo) {
  models_->Add({.text = "I cannot do that."});
  models_->Add({.text = Writes("one")});
  models_->Add({.text = Writes("two")});
  models_->Add({.text = Writes("three")});

  ExpectOnlyGreeting(Work(GrantWith({"exit 1"})).change(), "two");
  EXPECT_EQ(models_->calls().size(), 3u);
}

TEST_F(RepairTest, ARepairThatIsNoEditLeavesTheChangeThereWas) {
  models_->Add({.text = Writes("one")});
  models_->Add({.text = "I cannot do that."});

  const v1::Change change = Work(GrantWith({"exit 1"})).change();

  ExpectOnlyGreeting(change, "one");
  EXPECT_THAT(dispatcher_.log, HasSubstr("== no repaired change: NO_EDIT\n"));
}

TEST_F(RepairTest, ABudgetThatEndsTheRepairLeavesTheChangeThereWas) {
  models_->Add({.text = Writes("one")});
  models_->Add({.text = "the limit is spent", .status = 402, .error_code = "insufficient_quota"});

  ExpectOnlyGreeting(Work(GrantWith({"exit 1"})).change(), "one");
  EXPECT_THAT(dispatcher_.log, HasSubstr("the limit is spent"));
}

TEST_F(RepairTest, AModelThatRepeatsItselfIsAskedOnce) {
  models_->Add({.text = Writes("one")});

  ExpectOnlyGreeting(Work(GrantWith({"exit 1"})).change(), "one");
  EXPECT_EQ(models_->calls().size(), 2u);
}

TEST_F(RepairTest, AValidatorThatHangsIsEndedWithAllItStarted) {
  models_->Add({.text = Writes("one")});
  models_->Add({.text = Writes("good morning")});
  v1::Grant grant = GrantWith({"grep -q morning greeting.txt || { sleep 1000 & sleep 1000; }"});
  grant.mutable_write_change()->mutable_validators(0)->mutable_run_timeout()->set_seconds(1);

  ExpectOnlyGreeting(Work(grant).change(), "good morning");
  EXPECT_THAT(models_->Question(1), HasSubstr("'check-1' ran out of time after 1s"));
}

TEST_F(RepairTest, AValidatorThatNeedsMoreTimeThanThereIsDoesNotCostTheChange) {
  models_->Add({.text = Writes("one")});
  v1::Grant grant = GrantWith({"sleep 1000"});
  grant.mutable_attempt_timeout()->set_seconds(6);

  const v1::Change change = Work(grant).change();

  ExpectOnlyGreeting(change, "one");
  EXPECT_EQ(change.outcomes_size(), 0);
  EXPECT_EQ(models_->calls().size(), 1u);
}

TEST_F(RepairTest, AModelThatHangsOverItsRepairDoesNotCostTheChange) {
  models_->Add({.text = Writes("one")});
  models_->Add({.hang = true});
  v1::Grant grant = GrantWith({"exit 1"});
  grant.mutable_attempt_timeout()->set_seconds(6);

  ExpectOnlyGreeting(Work(grant).change(), "one");
  EXPECT_THAT(dispatcher_.log, HasSubstr("== no repaired change: ATTEMPT_TIMEOUT\n"));
}

TEST_F(RepairTest, MuchAndBinaryOutputReachesTheModelAsItsCleanEnd) {
  models_->Add({.text = Writes("one")});
  models_->Add({.text = Writes("good morning")});

  Work(
      GrantWith({"grep -q morning greeting.txt && exit 0; head -c 3000000 /dev/urandom; "
                 "yes line | head -c 3000000; printf '\\033[31mred\\033[0m \\000\\377 end\\n'; "
                 "exit 1"}));

  const std::string message = models_->Question(1);
  EXPECT_LT(message.size(), 10'000u);
  EXPECT_THAT(message, AllOf(HasSubstr("line\nline\n"), HasSubstr("red "), HasSubstr(" end\n"),
                             Not(HasSubstr("\x1b"))));
  EXPECT_THAT(dispatcher_.log, HasSubstr("[more output of this validator is not logged]"));
  EXPECT_LT(dispatcher_.log.size(), 512u << 10);
}

TEST_F(RepairTest, AValidatorReachesNeitherTheKeyNorTheModelsNorTheRunner) {
  models_->Add({.text = Writes("one")});

  const v1::Change change =
      Work(GrantWith({"env; ls -la /run/slipway /slipway-agent; ls /workspace/.git/slipway; "
                      "cat /proc/[0-9]*/environ; cat /proc/net/unix; ls /proc | grep -c '^[0-9]'; "
                      "ls -l /proc/self/fd"}))
          .change();

  const std::string& tail = change.outcomes(0).output_tail();
  EXPECT_THAT(dispatcher_.log, AllOf(HasSubstr("'/run/slipway': No such file"),
                                     HasSubstr("'/slipway-agent': No such file"),
                                     HasSubstr("'/workspace/.git/slipway': No such file")));
  for (const std::string& text : {tail, dispatcher_.log}) {
    EXPECT_THAT(text, AllOf(Not(HasSubstr(kModelKey)), Not(HasSubstr("SLIPWAY_MODEL_KEY")),
                            Not(HasSubstr("[redacted]")), Not(HasSubstr("models.sock"))));
  }
}

TEST_F(RepairTest, AKeyInAnOutputIsRedacted) {
  models_->Add({.text = Writes(kModelKey)});
  models_->Add({.text = Writes("good morning")});

  Work(GrantWith({"grep -q morning greeting.txt || { cat greeting.txt; exit 1; }"}));

  EXPECT_THAT(dispatcher_.log, Not(HasSubstr(kModelKey)));
  EXPECT_THAT(models_->Question(1),
              AllOf(HasSubstr("[redacted]\nworld"), Not(HasSubstr(kModelKey))));
}

TEST_F(RepairTest, AProgramThatThisHostLacksIsNothingForTheModel) {
  models_->Add({.text = Writes("one")});
  v1::Grant grant = GrantWith({"exit 0"});
  grant.mutable_write_change()->mutable_validators(0)->set_command(0, "no-such-program");

  const v1::Change change = Work(grant).change();

  ExpectOnlyGreeting(change, "one");
  EXPECT_EQ(models_->calls().size(), 1u);
  EXPECT_EQ(change.outcomes(0).exit_code(), 127);
  EXPECT_THAT(dispatcher_.log, HasSubstr("the validators could not tell"));
}

TEST_F(RepairTest, AProgramThatIsNotAllowedDoesNotRun) {
  models_->Add({.text = Writes("one")});
  v1::Grant grant = GrantWith({"exit 0"});
  grant.mutable_write_change()->mutable_validators(0)->set_command(0, "bash");

  EXPECT_THAT(Work(grant).change().outcomes(0).output_tail(), HasSubstr("'bash' is not allowed"));
  EXPECT_EQ(models_->calls().size(), 1u);
}

TEST_F(RepairTest, ACommandThatTheTreeLacksIsForTheModel) {
  models_->Add({.text = Writes("one")});
  models_->Add({.text = Writes("good morning")});

  Work(GrantWith({"grep -q morning greeting.txt || no-such-command"}));

  EXPECT_THAT(models_->Question(1), HasSubstr("failed with exit code 127"));
}

TEST_F(RepairTest, WithoutValidatorsTheChangeIsHandedInAtOnce) {
  models_->Add({.text = Writes("one")});

  const v1::Change change = Work(GrantWith({})).change();

  ExpectOnlyGreeting(change, "one");
  EXPECT_EQ(change.outcomes_size(), 0);
  EXPECT_EQ(change.repair_rounds(), 0);
}

TEST_F(RepairTest, FilesModesAndDeletionsAreCheckedAsTheyWillBe) {
  Put("old.txt", "old\n");
  Put("run.sh", "#!/bin/sh\necho ran\n");
  Git(repository_, {"update-index", "--add", "--chmod=+x", "run.sh"});
  commit_ = CommitAll(repository_, "more");
  models_->Add({.text = R"({"edits":[{"path":"old.txt","op":"delete"},)"
                        R"({"path":"a/b/new.txt","op":"write","content":"new\n"}]})"});

  const v1::Change change =
      Work(GrantWith({"test ! -e old.txt && cat a/b/new.txt && git log --format=%s && "
                      "git status --porcelain"}))
          .change();

  EXPECT_EQ(change.outcomes(0).output_tail(), "new\nmore\n");
}

}  // namespace
}  // namespace slipway::agent
