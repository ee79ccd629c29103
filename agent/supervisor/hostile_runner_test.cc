#include <sys/stat.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "agent/domain/limits.h"
#include "agent/supervisor/change_work.h"
#include "lib/base/id_generator.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testkit::FailsWithReason;

// A shell script in the place of the runner: the supervisor must survive whatever it says.
class HostileRunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(chmod(files_.path().c_str(), 0711), 0);
    ASSERT_OK_AND_ASSIGN(AttemptDirectory directory,
                         AttemptDirectory::Create(files_.File("w"), base::RandomIds()));
    directory_.emplace(std::move(directory));
    ASSERT_OK(base::MakeDirectories(directory_->workspace(), 0777));
    ASSERT_EQ(chmod(directory_->workspace().c_str(), 0777), 0);
    lease_.Renew(clock_.Elapsed(), absl::Minutes(5));
  }

  absl::StatusOr<Result> Run(const std::string& script,
                             absl::Duration timeout = absl::Seconds(30)) {
    settings_.program = files_.File("runner");
    EXPECT_OK(base::WriteFileAtomic(settings_.program, "#!/bin/sh\n" + script, 0755));
    EXPECT_EQ(chmod(settings_.program.c_str(), 0755), 0);
    const WatchContext context{.clock = clock_, .lease = lease_, .report = report_, .wake = wake_};
    return WriteChange(settings_, std::string(40, 'a'),
                       {.title = "t",
                        .model_key = "sk-secret",
                        .model_proxy = "unix:" + files_.File("models.sock")},
                       clock_.Elapsed() + timeout, *directory_, context);
  }
  Failure RunToFailure(const std::string& script) {
    const absl::StatusOr<Result> result = Run(script);
    EXPECT_OK(result);
    if (!result.ok() || !std::holds_alternative<Failure>(*result)) {
      ADD_FAILURE() << "no failure";
      return {};
    }
    return std::get<Failure>(*result);
  }
  std::string Log() {
    std::string log;
    while (const auto piece = report_.TakeLog(1 << 20)) log += piece->data;
    return log;
  }
  // A frame, as printf takes it.
  static std::string Say(const std::string& json) {
    return absl::StrCat("printf '\\000\\000\\000\\", absl::StrFormat("%03o", json.size()), "%s' '",
                        json, "'\n");
  }

  testkit::TemporaryDirectory files_;
  base::Clock& clock_ = base::RealClock();
  WakeFd wake_;
  Lease lease_{clock_, [this] { wake_.Wake(); }};
  AttemptReport report_{clock_, [] {}};
  Settings settings_{.limits = {.processes = 64}};
  std::optional<AttemptDirectory> directory_;
};

TEST_F(HostileRunnerTest, AnOversizedFrameEndsIt) {
  const Failure failure = RunToFailure("printf '\\377\\377\\377\\377'; yes | head -c 10000000");

  EXPECT_EQ(failure.failure_class, FailureClass::kAgent);
  EXPECT_EQ(failure.reason, "RUNNER_PROTOCOL");
}

TEST_F(HostileRunnerTest, GarbageEndsIt) {
  EXPECT_EQ(RunToFailure("printf '\\000\\000\\000\\004abcd'").reason, "RUNNER_PROTOCOL");
  EXPECT_EQ(RunToFailure("head -c 3000000 /dev/urandom").reason, "RUNNER_PROTOCOL");
  EXPECT_EQ(RunToFailure(Say("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]")).reason, "RUNNER_PROTOCOL");
  EXPECT_EQ(RunToFailure(Say(R"({"type":"launch"})")).reason, "RUNNER_PROTOCOL");
  EXPECT_EQ(RunToFailure(Say(R"({"type":"change","tree":"../x","summary":""})")).reason,
            "RUNNER_PROTOCOL");
}

TEST_F(HostileRunnerTest, AnEndlessPatchEndsIt) {
  const std::string piece(120, 'A');
  EXPECT_EQ(RunToFailure(absl::StrCat("i=0; while [ $i -lt 200000 ]; do\n",
                                      Say(R"({"type":"patch","data":")" + piece + "\"}"),
                                      "i=$((i+1)); done"))
                .reason,
            "RUNNER_PROTOCOL");
}

TEST_F(HostileRunnerTest, AChangeWithoutAPatchIsNone) {
  EXPECT_EQ(RunToFailure(Say(absl::StrCat(R"({"type":"change","tree":")", std::string(40, 'b'),
                                          R"(","summary":""})")))
                .reason,
            "RUNNER_PROTOCOL");
}

TEST_F(HostileRunnerTest, ASilentEndIsAFailureOfTheHost) {
  const Failure failure = RunToFailure("echo 'out of luck' >&2; exit 7");

  EXPECT_EQ(failure.failure_class, FailureClass::kInfrastructure);
  EXPECT_EQ(failure.reason, "RUNNER_DIED");
  EXPECT_THAT(failure.detail, HasSubstr("code 7"));
  EXPECT_THAT(failure.detail, HasSubstr("out of luck"));
}

TEST_F(HostileRunnerTest, ManyWordsAreKeptWithinTheirLimit) {
  const absl::StatusOr<Result> result =
      Run("yes 'many words' | head -c 20000000 >&2\n" +
          Say(R"({"type":"stop","reason":"budget","detail":"d"})"));

  ASSERT_OK(result);
  EXPECT_TRUE(std::holds_alternative<Stop>(*result));
  EXPECT_LE(Log().size(), kLogBytesMax + 100);
}

TEST_F(HostileRunnerTest, ARunnerThatStaysAfterItsResultIsOutOfTime) {
  const absl::StatusOr<Result> result =
      Run(Say(R"({"type":"stop","reason":"budget","detail":"d"})") + "sleep 100 & sleep 100",
          absl::Seconds(1));

  ASSERT_OK(result);
  EXPECT_TRUE(std::holds_alternative<Stop>(*result));
}

TEST_F(HostileRunnerTest, SeesItsKeyAndItsWorkAndNothingElse) {
  ASSERT_OK(base::WriteFileAtomic(files_.File("secret"), "secret of the host", 0644));

  RunToFailure(absl::StrCat("exec >&2; cat ", files_.File("secret"), "; ls /run/slipway; ",
                            "cat /run/slipway/work.json; echo x > /run/slipway/x; ",
                            "echo key=$SLIPWAY_MODEL_KEY; env; cat /proc/net/route"));

  const std::string log = Log();
  EXPECT_THAT(log, Not(HasSubstr("secret of the host")));
  EXPECT_THAT(log, HasSubstr("'/run/slipway': Permission denied"));
  EXPECT_THAT(log, HasSubstr("/run/slipway/x: Read-only file system"));
  EXPECT_THAT(log, HasSubstr("\"title\": \"t\""));
  EXPECT_THAT(log, HasSubstr("key=[redacted]"));
  EXPECT_THAT(log, Not(HasSubstr("sk-secret")));
}

TEST_F(HostileRunnerTest, LinksInItsWorkspaceAreNotFollowedAtTheEnd) {
  const std::string precious = files_.File("precious");
  ASSERT_OK(base::WriteFileAtomic(precious + "-file", "kept", 0666));
  ASSERT_OK(base::MakeDirectories(precious, 0777));
  ASSERT_OK(base::WriteFileAtomic(precious + "/file", "kept", 0666));

  RunToFailure(absl::StrCat("ln -s ", precious, " /workspace/link; ln -s ", precious,
                            "-file /workspace/other; mkdir -p /workspace/a/b; "
                            "chmod 000 /workspace/a"));
  directory_.reset();

  EXPECT_THAT(base::ReadFile(precious + "/file"), testkit::IsOkAndHolds("kept"));
  EXPECT_THAT(base::ReadFile(precious + "-file"), testkit::IsOkAndHolds("kept"));
}

TEST_F(HostileRunnerTest, AFencedLeaseKillsIt) {
  lease_.Stop(Lease::Cause::kFenced);

  EXPECT_THAT(Run("sleep 100"), FailsWithReason("GRANT_LOST"));
}

}  // namespace
}  // namespace slipway::agent
