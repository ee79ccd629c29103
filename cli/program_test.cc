#include "cli/program.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/command/validator_detection.h"
#include "lib/base/file.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::cli {
namespace {

using testkit::FailsWithReason;

struct Ran {
  int code = 0;
  std::string results;
  std::string progress;
};

Ran RunWith(std::vector<std::string> arguments) {
  std::ostringstream results, progress;
  std::istringstream input;
  const int code =
      RunProgram(std::move(arguments), {.results = results, .progress = progress, .input = input});
  return {code, results.str(), progress.str()};
}

TEST(Program, HelpAndVersionAreResults) {
  EXPECT_EQ(RunWith({"--version"}).results, "slipway 0.1.0\n");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"help"}, {"--help"}}) {
    const Ran ran = RunWith(arguments);
    EXPECT_EQ(ran.code, 0);
    EXPECT_NE(ran.results.find("Exit codes: 0 ok"), std::string::npos);
  }
  EXPECT_NE(RunWith({"help", "budget", "set"}).results.find("SCOPE"), std::string::npos);
}

struct WrongUsage {
  std::vector<std::string> arguments;
  const char* message;
};

TEST(Program, WrongUsageIsCodeTwoWithAHint) {
  for (const WrongUsage& wrong :
       std::vector<WrongUsage>{{{"bogus"}, "bogus"},
                               {{"plan"}, "SPEC"},
                               {{"status", "--bogus"}, "--bogus"},
                               {{"up", "--port", "70000"}, "70000"},
                               {{"-o", "xml", "status"}, "xml"},
                               {{"resolve", "c1", "--decision", "maybe"}, "maybe"},
                               {{"budget"}, "subcommand"}}) {
    const Ran ran = RunWith(wrong.arguments);
    EXPECT_EQ(ran.code, 2) << wrong.message;
    EXPECT_NE(ran.progress.find(wrong.message), std::string::npos) << ran.progress;
    EXPECT_NE(ran.progress.find("[USAGE]\nhint: "), std::string::npos) << ran.progress;
    EXPECT_EQ(ran.results, "");
  }
}

TEST(Program, WrongUsageIsJsonWhenAskedFor) {
  const Ran ran = RunWith({"-o", "json", "plan"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.results.find("{\"error\":{\"code\":\"INVALID_ARGUMENT\",\"reason\":\"USAGE\""), 0u);
  EXPECT_EQ(ran.progress, "");
}

TEST(Program, SaysHowToStartASuiteThatDoesNotRun) {
  const testkit::TemporaryDirectory directory;
  const Ran ran = RunWith({"--data", directory.path(), "status"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.progress.find("[NOT_RUNNING]\nhint: slipway up --detach"), std::string::npos);
}

TEST(Program, AuditsAFileWithTheLedgersProgramAlone) {
  // The tests are not beside the programs.
  const Ran ran = RunWith({"audit", "ledger", "--database", "/nowhere"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_NE(ran.progress.find("/slipway-ledger [BINARY_MISSING]"), std::string::npos)
      << ran.progress;
}

TEST(Program, SaysThatASuiteDoesNotAnswer) {
  const testkit::TemporaryDirectory directory;
  ASSERT_OK(base::WriteFileAtomic(directory.File("token"), "secret"));
  const Ran ran = RunWith({"--token-file", directory.File("token"), "--address",
                           "unix:" + directory.File("none.sock"), "hosts"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.progress.find("[UNREACHABLE]"), std::string::npos) << ran.progress;
}

TEST(Program, SendsNoTokenOverANetworkInClear) {
  const testkit::TemporaryDirectory directory;
  ASSERT_OK(base::WriteFileAtomic(directory.File("token"), "secret"));
  const Ran ran =
      RunWith({"--token-file", directory.File("token"), "--address", "192.0.2.1:80", "status"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.progress.find("[ADDRESS_INSECURE]"), std::string::npos);
}

TEST(Program, StoppingNothingIsFine) {
  const testkit::TemporaryDirectory directory;
  EXPECT_EQ(RunWith({"--data", directory.path(), "down"}).code, 0);
}

TEST(Program, CompletionKnowsTheCommands) {
  const Ran ran = RunWith({"completion", "bash"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(ran.results.find("'budget') words='set list delete show freeze unfreeze frozen prices"),
            std::string::npos);
  EXPECT_NE(ran.results.find("'budget prices') words='import list"), std::string::npos);
  EXPECT_NE(ran.results.find("'audit') words='ledger"), std::string::npos);
}

TEST(DetectValidators, ReadsTheSignsOfTestSuites) {
  const testkit::TemporaryDirectory directory;
  EXPECT_TRUE(DetectValidators(directory.path()).empty());
  ASSERT_OK(base::MakeDirectories(directory.File("tests")));
  ASSERT_OK(base::WriteFileAtomic(directory.File("tests/__init__.py"), ""));
  ASSERT_OK(base::WriteFileAtomic(directory.File("tests/test_a.py"), ""));
  ASSERT_EQ(DetectValidators(directory.path()).size(), 1u);
  EXPECT_EQ(ValidatorText(DetectValidators(directory.path())[0]),
            "unittest=python3 -m unittest -q");
  ASSERT_OK(base::WriteFileAtomic(directory.File("pytest.ini"), ""));
  EXPECT_EQ(DetectValidators(directory.path())[0].name(), "pytest");
  ASSERT_OK(base::WriteFileAtomic(directory.File("go.mod"), ""));
  ASSERT_OK(
      base::WriteFileAtomic(directory.File("package.json"), "{\"scripts\":{\"test\":\"x\"}}"));
  ASSERT_EQ(DetectValidators(directory.path()).size(), 3u);
}

TEST(ParseValidator, TakesNameCommandAndQuotes) {
  ASSERT_OK_AND_ASSIGN(const common::v1::Validator named, ParseValidator("unit=go test './a b'"));
  EXPECT_EQ(named.name(), "unit");
  ASSERT_EQ(named.command_size(), 3);
  EXPECT_EQ(named.command(2), "./a b");
  EXPECT_EQ(ParseValidator("make check")->name(), "make-check");
  EXPECT_THAT(ParseValidator("  "), FailsWithReason("ARGUMENT_INVALID"));
  EXPECT_THAT(ParseValidator("make 'x"), FailsWithReason("ARGUMENT_INVALID"));
}

}  // namespace
}  // namespace slipway::cli
