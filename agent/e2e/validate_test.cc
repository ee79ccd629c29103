#include "agent/e2e/agent_fixture.h"

namespace slipway::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ValidateTest : public AgentFixture {
 protected:
  void SetUp() override {
    AgentFixture::SetUp();
    Put("greeting.txt", "hello\n");
    Put("sub/inner.txt", "inner\n");
    commit_ = CommitAll(repository_, "base");
  }
  v1::SubmitResultRequest Check(const v1::Grant& grant) {
    dispatcher_.Offer(grant, PackOf(commit_));
    return RunToResult();
  }
  v1::Evidence CheckCommands(const std::vector<std::vector<std::string>>& commands) {
    const v1::SubmitResultRequest result = Check(CheckGrant(commit_, commands));
    EXPECT_TRUE(result.has_evidence()) << result.ShortDebugString();
    return result.evidence();
  }

  git::Oid commit_;
};

TEST_F(ValidateTest, ReportsEachValidatorOnTheTree) {
  const v1::Grant grant = CheckGrant(commit_, {{"cat", "greeting.txt"}, {"sh", "-c", "exit 0"}});

  const v1::Evidence evidence = Check(grant).evidence();

  EXPECT_EQ(evidence.tree(), grant.run_validators().tree());
  EXPECT_EQ(evidence.validator_digest(), "digest-1");
  ASSERT_EQ(evidence.outcomes_size(), 2);
  EXPECT_EQ(evidence.outcomes(0).validator(), "check-1");
  EXPECT_EQ(evidence.outcomes(0).exit_code(), 0);
  EXPECT_EQ(evidence.outcomes(0).output_tail(), "hello\n");
  EXPECT_TRUE(evidence.outcomes(0).has_run_duration());
  EXPECT_EQ(evidence.outcomes(1).exit_code(), 0);
  EXPECT_THAT(dispatcher_.log, HasSubstr("hello\n"));
}

TEST_F(ValidateTest, TheFirstFailureEndsIt) {
  const v1::Evidence evidence =
      CheckCommands({{"sh", "-c", "echo broken >&2; exit 3"}, {"sh", "-c", "exit 0"}});

  ASSERT_EQ(evidence.outcomes_size(), 1);
  EXPECT_EQ(evidence.outcomes(0).exit_code(), 3);
  EXPECT_EQ(evidence.outcomes(0).output_tail(), "broken\n");
}

TEST_F(ValidateTest, EachValidatorSeesTheTreeAsItWas) {
  const v1::Evidence evidence =
      CheckCommands({{"sh", "-c", "echo changed > greeting.txt; rm -r sub; echo > /tmp/left"},
                     {"sh", "-c", "cat greeting.txt sub/inner.txt; ls /tmp"}});

  ASSERT_EQ(evidence.outcomes_size(), 2);
  EXPECT_EQ(evidence.outcomes(1).output_tail(), "hello\ninner\n");
}

TEST_F(ValidateTest, OutOfTimeIsAnOutcome) {
  v1::Grant grant = CheckGrant(commit_, {{"sh", "-c", "echo started; sleep 60"}});
  grant.mutable_run_validators()->mutable_validators(0)->mutable_run_timeout()->set_nanos(
      300'000'000);

  const v1::Evidence evidence = Check(grant).evidence();

  ASSERT_EQ(evidence.outcomes_size(), 1);
  EXPECT_TRUE(evidence.outcomes(0).timed_out());
  EXPECT_NE(evidence.outcomes(0).exit_code(), 0);
  EXPECT_EQ(evidence.outcomes(0).output_tail(), "started\n");
}

TEST_F(ValidateTest, AProgramThatIsNotAllowedDoesNotRun) {
  const v1::Evidence evidence = CheckCommands({{"ls", "/"}, {"cat", "greeting.txt"}});

  ASSERT_EQ(evidence.outcomes_size(), 1);
  EXPECT_EQ(evidence.outcomes(0).exit_code(), 127);
  EXPECT_THAT(evidence.outcomes(0).output_tail(), HasSubstr("'ls' is not allowed"));
}

TEST_F(ValidateTest, AProgramThatIsMissingIsNamed) {
  const v1::Evidence evidence = CheckCommands({{"no-such-program"}});

  ASSERT_EQ(evidence.outcomes_size(), 1);
  EXPECT_EQ(evidence.outcomes(0).exit_code(), 127);
  EXPECT_THAT(evidence.outcomes(0).output_tail(), HasSubstr("'no-such-program' does not exist"));
}

TEST_F(ValidateTest, RunsInItsDirectory) {
  v1::Grant grant = CheckGrant(commit_, {{"cat", "inner.txt"}});
  grant.mutable_run_validators()->mutable_validators(0)->set_directory("sub");

  EXPECT_EQ(Check(grant).evidence().outcomes(0).output_tail(), "inner\n");
}

TEST_F(ValidateTest, ADirectoryThatIsMissingIsAnOutcome) {
  v1::Grant grant = CheckGrant(commit_, {{"cat", "inner.txt"}});
  grant.mutable_run_validators()->mutable_validators(0)->set_directory("nowhere");

  const v1::SubmitResultRequest result = Check(grant);

  ASSERT_TRUE(result.has_evidence()) << result.ShortDebugString();
  EXPECT_EQ(result.evidence().outcomes(0).exit_code(), 127);
  EXPECT_THAT(result.evidence().outcomes(0).output_tail(), HasSubstr("'nowhere'"));
}

TEST_F(ValidateTest, ADirectoryOutsideOfTheTreeIsRefused) {
  v1::Grant grant = CheckGrant(commit_, {{"cat", "inner.txt"}});
  grant.mutable_run_validators()->mutable_validators(0)->set_directory("../etc");

  EXPECT_EQ(Check(grant).evidence().outcomes(0).exit_code(), 127);
}

TEST_F(ValidateTest, KeepsTheEndOfMuchOutputAsCleanText) {
  const v1::Evidence evidence =
      CheckCommands({{"sh", "-c",
                      "i=0; while [ $i -lt 20000 ]; do echo \"line $i \033[31m\303\251\033[0m\"; "
                      "i=$((i+1)); done; printf 'bad \\377 byte\\nend\\n'; exit 1"}});

  const std::string& tail = evidence.outcomes(0).output_tail();
  EXPECT_LE(tail.size(), 16u << 10);
  EXPECT_GT(tail.size(), 15u << 10);
  EXPECT_THAT(tail, HasSubstr("line 19999 \303\251\n"));
  EXPECT_THAT(tail, HasSubstr("bad \357\277\275 byte\nend\n"));
  EXPECT_THAT(tail, Not(HasSubstr("\x1b")));
}

TEST_F(ValidateTest, CredentialsOfTheTreeStayOutOfOutputAndLog) {
  const std::string secret = absl::StrCat("AKIA", "Q3EGRIZ7PLM2VW5T");

  const v1::Evidence evidence = CheckCommands(
      {{"sh", "-c", absl::StrCat("printf 'key AKIA'; sleep 0.1; echo '", secret.substr(4), "'")}});

  EXPECT_THAT(evidence.outcomes(0).output_tail(), HasSubstr("key [redacted: "));
  EXPECT_THAT(evidence.outcomes(0).output_tail(), Not(HasSubstr(secret)));
  EXPECT_THAT(dispatcher_.log, HasSubstr("key [redacted: "));
}

TEST_F(ValidateTest, ReachesNeitherTheHostNorTheNetworkNorAModel) {
  // The parent of the workspaces, the dispatcher's socket and a listening port of this test.
  const std::string host_file = directory_.File("secret");
  ASSERT_OK(base::WriteFileAtomic(host_file, "secret of the host", 0644));
  const std::string script =
      absl::StrCat("cat ", host_file, "; cat /etc/shadow; ls /run/slipway /home /root; ", "ls ",
                   directory_.File("models.sock"), "; env; cat /proc/net/route; ",
                   "(echo x > /usr/x); (echo x > /x); echo done");

  const v1::Evidence evidence = CheckCommands({{"sh", "-c", script}});

  const std::string& tail = evidence.outcomes(0).output_tail();
  EXPECT_THAT(tail, HasSubstr("done\n"));
  EXPECT_THAT(tail, Not(HasSubstr("secret of the host")));
  EXPECT_THAT(tail, Not(HasSubstr("root:")));
  EXPECT_THAT(tail, Not(HasSubstr("SLIPWAY")));
  EXPECT_THAT(tail, Not(HasSubstr(FakeDispatcher::kToken)));
  EXPECT_THAT(tail, HasSubstr("LANG=C.UTF-8\n"));
  EXPECT_THAT(tail, HasSubstr("PYTHONDONTWRITEBYTECODE=1\n"));
  // The routing table has its heading and nothing else.
  EXPECT_THAT(tail, Not(HasSubstr("eth")));
  for (const char* text : {"'/run/slipway': No such file", "'/root': No such file",
                           "/usr/x: Read-only file system", "/x: Read-only file system"}) {
    EXPECT_THAT(tail, HasSubstr(text));
  }
}

TEST_F(ValidateTest, ASnapshotOfAnotherTreeFails) {
  v1::Grant grant = CheckGrant(commit_, {{"cat", "greeting.txt"}});
  grant.mutable_run_validators()->set_tree(std::string(40, 'a'));

  const v1::SubmitResultRequest result = Check(grant);

  EXPECT_EQ(result.failure().class_(), v1::Failure::CLASS_INFRASTRUCTURE);
  EXPECT_EQ(result.failure().reason(), "TREE_MISMATCH");
}

TEST_F(ValidateTest, ABrokenSnapshotFails) {
  dispatcher_.Offer(CheckGrant(commit_, {{"cat", "greeting.txt"}}), PackOf(commit_).substr(0, 100));

  const v1::SubmitResultRequest result = RunToResult();

  EXPECT_EQ(result.failure().class_(), v1::Failure::CLASS_INFRASTRUCTURE);
}

}  // namespace
}  // namespace slipway::agent
