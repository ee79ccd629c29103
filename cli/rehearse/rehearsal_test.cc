#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/rehearse/history.h"
#include "cli/rehearse/rehearsal_report.h"
#include "nlohmann/json.hpp"

namespace slipway::cli {
namespace {

using ::testing::ElementsAre;

// Commits "1", "2", ...: each the child of the one before, but for those in `after_merge`.
std::vector<HistoricCommit> Commits(int count, const std::vector<int>& after_merge = {}) {
  std::vector<HistoricCommit> commits;
  for (int i = 1; i <= count; ++i) {
    commits.push_back({.commit = std::to_string(i), .parent = std::to_string(i - 1)});
  }
  for (const int i : after_merge) commits[static_cast<size_t>(i) - 1].parent = "merge";
  return commits;
}

TEST(StretchesTest, NeighboursStayTogetherUpToTheLimit) {
  EXPECT_THAT(Stretches(Commits(5), 2), ElementsAre(Stretch{0, 2}, Stretch{2, 4}, Stretch{4, 5}));
}

TEST(StretchesTest, AMergeBetweenTwoCommitsCuts) {
  EXPECT_THAT(Stretches(Commits(5, /*after_merge=*/{1, 4}), 10),
              ElementsAre(Stretch{0, 3}, Stretch{3, 5}));
}

TEST(StretchesTest, NothingGivesNothing) { EXPECT_THAT(Stretches({}, 3), ElementsAre()); }

RehearsalReport ReportOf(std::vector<Replay> replays) {
  RehearsalReport report;
  report.commits = Commits(static_cast<int>(replays.size()));
  report.replays = std::move(replays);
  return report;
}

TEST(RehearsalReportTest, ExactAndRefusedCommitsPass) {
  const RehearsalReport report =
      ReportOf({{.verdict = Replay::Verdict::kExact, .waiver = "CI: a workflow"},
                {.verdict = Replay::Verdict::kRefused, .reason = "SUBMODULE: no"}});
  EXPECT_TRUE(report.Passed());
  const auto json = nlohmann::json::parse(report.Json());
  EXPECT_EQ(json["commits"], 2);
  EXPECT_EQ(json["exact"], 1);
  EXPECT_EQ(json["refused"][0]["commit"], "2");
  EXPECT_EQ(json["refused"][0]["reason"], "SUBMODULE: no");
  EXPECT_EQ(json["waived"][0]["reason"], "CI: a workflow");
  EXPECT_TRUE(json["different"].empty());
}

TEST(RehearsalReportTest, ACommitThatNobodyAccountedForIsDifferent) {
  const RehearsalReport report =
      ReportOf({{.verdict = Replay::Verdict::kExact}, {.verdict = Replay::Verdict::kPending}});
  EXPECT_FALSE(report.Passed());
  const auto json = nlohmann::json::parse(report.Json());
  EXPECT_EQ(json["different"][0]["commit"], "2");
  EXPECT_EQ(json["different"][0]["reason"], "NOT_REPLAYED");
}

TEST(RehearsalReportTest, AnotherTreeFails) {
  EXPECT_FALSE(ReportOf({{.verdict = Replay::Verdict::kDifferent, .tree = "t"}}).Passed());
}

}  // namespace
}  // namespace slipway::cli
