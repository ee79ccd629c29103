#include "cli/output/output.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "cli/output/display_width.h"
#include "cli/output/hint.h"
#include "cli/output/live_screen.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/testkit/matchers.h"

namespace slipway::cli {
namespace {

using testkit::FailsWithReason;
using testkit::IsOkAndHolds;

std::string ReadSource(const std::string& path) {
  std::ifstream file(std::string(SLIPWAY_SOURCE_DIR) + "/" + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(DisplayWidth, CountsWideCharactersTwiceAndCombiningOnesNever) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("Müller"), 6);
  EXPECT_EQ(DisplayWidth("日本"), 4);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
}

TEST(DisplayWidth, CutsBetweenCharacters) {
  EXPECT_EQ(FitToWidth("日本語", 6), "日本語");
  EXPECT_EQ(FitToWidth("日本語", 5), "日本…");
  EXPECT_EQ(FitToWidth("日本語", 4), "日…");
  EXPECT_EQ(FitToWidth("abc", 0), "");
}

TEST(DisplayWidth, TakesEscapeSequencesOutOfWhatOthersWrote) {
  EXPECT_EQ(OneLine("a\x1b[2Jb\nc\r"), "a [2Jb c");
  EXPECT_EQ(OneLine("left \u202Eright"), "left right");
  EXPECT_EQ(PlainText("a\x1b]0;t\x07\n\tb"), "a]0;t\n\tb");
}

TEST(MoneyText, ShowsEveryDigitThatCounts) {
  EXPECT_EQ(MoneyText(0), "$0.00");
  EXPECT_EQ(MoneyText(12'500'000'000), "$12.50");
  EXPECT_EQ(MoneyText(42'000), "$0.000042");
  EXPECT_EQ(MoneyText(-1), "-$0.000000001");
  EXPECT_EQ(MoneyText(1'234'567'000'000'000), "$1,234,567.00");
}

TEST(MoneyText, IsReadBackExactly) {
  EXPECT_THAT(ParseMoney("12.5"), IsOkAndHolds(12'500'000'000));
  EXPECT_THAT(ParseMoney("$0.000000001"), IsOkAndHolds(1));
  for (const char* const wrong :
       {"", "-1", "1,5", "1.", ".5", "1e3", "0.0000000001", "99999999999999999999"}) {
    EXPECT_THAT(ParseMoney(wrong), FailsWithReason("AMOUNT_INVALID")) << wrong;
  }
}

TEST(DurationText, HasTwoLeadingUnits) {
  EXPECT_EQ(DurationText(absl::Milliseconds(850)), "850ms");
  EXPECT_EQ(DurationText(absl::Milliseconds(4'290)), "4.2s");
  EXPECT_EQ(DurationText(absl::Seconds(185)), "3m 05s");
  EXPECT_EQ(DurationText(absl::Minutes(130)), "2h 10m");
}

TEST(RelativeText, SaysPastAndFuture) {
  const absl::Time now = absl::FromUnixSeconds(1'000'000);
  EXPECT_EQ(RelativeText(now - absl::Minutes(4), now), "4m ago");
  EXPECT_EQ(RelativeText(now + absl::Seconds(12), now), "in 12s");
  EXPECT_EQ(RelativeText(absl::UnixEpoch(), now), "");
}

TEST(TextTable, AlignsByWhatTerminalsShow) {
  TextTable table({{"NAME"}, {"COST", TextTable::Align::kRight}, {"NOTE"}});
  table.Add({"日本", "$1.00", "first"});
  table.Add({"ascii", "$10.00", ""});
  EXPECT_EQ(table.Render(/*colour=*/false),
            "NAME     COST  NOTE\n"
            "日本    $1.00  first\n"
            "ascii  $10.00\n");
}

TEST(TextTable, CutsTheLastColumnToTheTerminal) {
  TextTable table({{"A"}, {"B"}});
  table.Add({"x", "0123456789abcdef"});
  EXPECT_EQ(table.Render(false, 15), "A  B\nx  0123456789a…\n");
}

TEST(TextTable, KeepsALineBreakOfAValueFromBreakingTheTable) {
  TextTable table({{"A"}, {"B"}});
  table.Add({"x\ny", "z"});
  EXPECT_EQ(table.Render(false), "A    B\nx y  z\n");
}

TEST(Output, PrintsErrorsWithReasonAndHint) {
  std::ostringstream results, progress;
  Output output(results, progress, {});
  const ExitCode code =
      output.Fail(base::Error(absl::StatusCode::kNotFound, "PLAN_UNKNOWN", "there is no plan 'x'"));
  EXPECT_EQ(code, ExitCode::kNotFound);
  EXPECT_EQ(results.str(), "");
  EXPECT_EQ(progress.str(),
            "error: there is no plan 'x' [PLAN_UNKNOWN]\nhint: slipway status shows the plans\n");
}

TEST(Output, PrintsErrorsAsJsonOnTheResultStream) {
  std::ostringstream results, progress;
  Output output(results, progress, {.format = Format::kJson});
  output.Fail(
      base::Error(absl::StatusCode::kNotFound, "PLAN_UNKNOWN", "no\x1bplan", {{"name", "x"}}));
  EXPECT_EQ(results.str(),
            "{\"error\":{\"code\":\"NOT_FOUND\",\"reason\":\"PLAN_UNKNOWN\","
            "\"message\":\"no plan\",\"metadata\":{\"name\":\"x\"}}}\n");
  EXPECT_EQ(progress.str(), "");
}

TEST(ExitCodes, FollowTheKindOfError) {
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), ExitCode::kWrongUsage);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), ExitCode::kNotFound);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), ExitCode::kFailed);
}

TEST(LiveScreen, DrawsOverItselfAndOnlyWhenSomethingChanged) {
  std::ostringstream results, progress;
  Output output(results, progress, {.live = true});
  LiveScreen screen(output);
  screen.Draw({"one", "two"});
  screen.Draw({"one", "two"});
  EXPECT_EQ(results.str(), "\x1b[2Kone\n\x1b[2Ktwo\n");
  results.str("");
  screen.Draw({"three"});
  EXPECT_EQ(results.str(), "\x1b[2A\r\x1b[2Kthree\n\x1b[J");
}

// Reasons that the contracts name for methods that people may call, read off the comments.
std::set<std::string> PublicReasons(const std::string& proto) {
  static const std::set<std::string> kCodes = {
      "INVALID_ARGUMENT", "NOT_FOUND",   "ALREADY_EXISTS",     "FAILED_PRECONDITION",
      "OUT_OF_RANGE",     "UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED",
      "ABORTED",          "DATA_LOSS",   "UNIMPLEMENTED"};
  std::set<std::string> reasons;
  const std::regex reason("[A-Z]+(_[A-Z]+)+");
  std::string comment;
  std::string errors;
  std::istringstream lines(ReadSource(proto));
  for (std::string line; std::getline(lines, line);) {
    if (line.find("//") != std::string::npos) {
      comment += line + " ";
      continue;
    }
    if (line.find("  rpc ") == 0) errors = comment;
    if (line.find("required_role") != std::string::npos &&
        line.find("ROLE_SERVICE") == std::string::npos) {
      const size_t from = errors.find("Errors:");
      const std::string named = from == std::string::npos ? "" : errors.substr(from);
      for (std::sregex_iterator at(named.begin(), named.end(), reason), end; at != end; ++at) {
        if (kCodes.count(at->str()) == 0) reasons.insert(at->str());
      }
    }
    comment.clear();
  }
  return reasons;
}

TEST(Hints, AreWrittenForEveryReasonThatACommandCanMeet) {
  size_t seen = 0;
  for (const char* const proto :
       {"planner/v1/planner_service.proto", "dispatcher/v1/dispatcher_service.proto",
        "ledger/v1/ledger_service.proto", "models/v1/models_service.proto",
        "reviewer/v1/reviewer_service.proto", "repository/v1/repository_service.proto",
        "gateway/v1/gateway_service.proto", "events/v1/event_log.proto"}) {
    for (const std::string& reason : PublicReasons(std::string("proto/slipway/") + proto)) {
      EXPECT_TRUE(HasHint(reason)) << reason << " of " << proto;
      ++seen;
    }
  }
  EXPECT_GT(seen, 60u);
}

}  // namespace
}  // namespace slipway::cli
