#include "services/reviewer/domain/validator_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ValidatorOutput, PytestTellsItsShortSummary) {
  EXPECT_THAT(FailuresIn("pytest",
                         "ERROR at setup of test_x\n"
                         "=== short test summary info ===\n"
                         "\x1b[31mFAILED\x1b[0m tests/test_a.py::test_one - assert 1 == 2\n"
                         "FAILED tests/test_a.py::test_two[a b] - ValueError: no\r\n"
                         "ERROR tests/test_b.py\n"
                         "FAILED tests/test_a.py::test_one - assert 1 == 2\n"
                         "3 failed, 2 passed\n"),
              ElementsAre("tests/test_a.py::test_one: assert 1 == 2",
                          "tests/test_a.py::test_two[a b]: ValueError: no", "tests/test_b.py"));
}

TEST(ValidatorOutput, CtestTellsTheListAtItsEnd) {
  EXPECT_THAT(FailuresIn("ctest",
                         " 1/3 Test #1: a - b ...   Passed\n"
                         "The following tests FAILED:\n"
                         "\t  2 - parser_test (Failed)\n"
                         "\t 13 - slow test (Timeout)\n"
                         "Errors while running CTest\n"),
              ElementsAre("parser_test", "slow test: Timeout"));
}

TEST(ValidatorOutput, JunitTellsTestsWithTheirMessages) {
  EXPECT_THAT(
      FailuresIn("junit",
                 "name=\"cut off\"><failure message=\"nobody's\"/>\n"
                 "<testcase classname=\"pkg.A\" name=\"ok\"/>"
                 "<testcase classname=\"pkg.A\" name=\"adds\"><failure message=\"1 &lt; 2 &amp; "
                 "&quot;x&quot;\">trace <![CDATA[<testcase name=\"fake\"><failure/>]]></failure>"
                 "</testcase><testcase name='b>c'><error type=\"E\"/></testcase>"
                 "<testcase name=\"skipped\"><skipped/></testcase><testcase name=\"cut"),
      ElementsAre("pkg.A.adds: 1 < 2 & \"x\"", "b>c"));
}

TEST(ValidatorOutput, TapTellsWhatIsNotOk) {
  EXPECT_THAT(FailuresIn("tap",
                         "TAP version 14\n1..5\nok 1 - fine\nnot ok 2 - broken\n  ---\n"
                         "  message: \"got 1\"\n  ...\nnot ok 3 - later # todo one day\n"
                         "not ok 4\nok 5\n    not ok 1 - inner\n"),
              ElementsAre("broken: got 1", "a test without a name", "inner"));
}

TEST(ValidatorOutput, GoTellsTestsWithTheirFirstLine) {
  EXPECT_THAT(
      FailuresIn("go",
                 "=== RUN   TestAdd\n--- FAIL: TestAdd (0.00s)\n"
                 "    --- FAIL: TestAdd/zero (0.00s)\n        add_test.go:9: got 1\n"
                 "--- PASS: TestOther (0.00s)\n"
                 "panic: runtime error: index out of range\n"
                 "FAIL\texample.com/broken [build failed]\nFAIL\n"),
      ElementsAre("TestAdd", "TestAdd/zero: add_test.go:9: got 1",
                  "panic: runtime error: index out of range", "example.com/broken [build failed]"));
}

TEST(ValidatorOutput, NodeTellsBothOfItsForms) {
  EXPECT_THAT(FailuresIn("node",
                         "✔ adds (0.4ms)\n✖ subtracts (1.25ms)\n✖ failing tests:\n"
                         "✖ subtracts (1.25ms)\n"),
              ElementsAre("subtracts"));
  EXPECT_THAT(FailuresIn("node", "not ok 1 - subtracts\n  ---\n  error: 'Expected 1'\n  ...\n"),
              ElementsAre("subtracts: Expected 1"));
}

TEST(ValidatorOutput, OtherFormatsAndEmptyOutputsTellNothing) {
  for (const char* format : {"", "pytest", "ctest", "junit", "tap", "go", "node", "rot13"}) {
    EXPECT_THAT(FailuresIn(format, ""), IsEmpty()) << format;
  }
  EXPECT_THAT(FailuresIn("", "FAILED a::b - c\n"), IsEmpty());
}

TEST(ValidatorOutput, HostileOutputStaysWithinTheLimits) {
  std::string many;
  for (int i = 0; i < 5'000; ++i) {
    absl::StrAppend(&many, "FAILED t::n", i, " - ", std::string(3'000, 'x'), "\xff\xfe\n");
  }
  const std::vector<std::string> failures = FailuresIn("pytest", many);
  EXPECT_EQ(failures.size(), kFailuresMax);
  for (const std::string& failure : failures) {
    EXPECT_LE(failure.size(), kFailureBytesMax);
    EXPECT_EQ(base::ToUtf8(failure, kFailureBytesMax), failure);
  }
}

TEST(ValidatorOutput, EveryCutOfAnOutputIsReadWithoutHarm) {
  const std::string outputs[] = {
      "<testcase classname=\"a\" name=\"b\"><failure "
      "message=\"&lt;c&#10;\"><![CDATA[x]]></failure>",
      "\x1b[31mnot ok 2 - a # SKIP\nnot ok 3 - b\n  ---\n  error: '\n  ...\n\x1b[",
      "--- FAIL: T (0s)\n\tx\npanic: \nFAIL\tp [build failed]\n",
      "The following tests FAILED:\n\t 1 - a (b\n 2 - (\n - \n 3 - )\n"};
  for (const std::string& output : outputs) {
    for (size_t begin = 0; begin <= output.size(); ++begin) {
      for (size_t size = 0; begin + size <= output.size(); ++size) {
        for (const char* format : {"pytest", "ctest", "junit", "tap", "go", "node"}) {
          EXPECT_LE(FailuresIn(format, output.substr(begin, size)).size(), size_t{4});
        }
      }
    }
  }
}

}  // namespace
}  // namespace slipway::reviewer
