#include "lib/inspection/history_replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/git/git_fixture.h"
#include "lib/git/repository.h"
#include "lib/inspection/own_history.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/requirement.h"

namespace slipway::inspection {
namespace {

using ::testing::IsEmpty;

// Reasons of a refusal by rule; every other would be a patch of git that was not understood.
const std::set<std::string>& Allowed() {
  static const auto& reasons = *new std::set<std::string>{
      "SUBMODULE",     "SYMLINK_TARGET", "LIMITS",           "LINE_LENGTH",   "CONTROL_CHAR",
      "UTF8",          "BACKSLASH",      "WIN_COLON",        "WIN_TRAILING",  "LEADING_DASH",
      "NFC_COLLISION", "UNICODE_PATH",   "DOTGIT",           "PATH_TOO_DEEP", "NAME_TOO_LONG",
      "INFLATE_LIMIT", "DELTA_LIMIT",    "AMBIGUOUS_HEADER", "BAD_MODE",      "PROTECTED",
      "NUL_IN_TEXT"};
  return reasons;
}

std::string Text(const ReplayCounts& counts) {
  std::string text =
      absl::StrCat(counts.commits, " commits, ", counts.patch_bytes >> 20, " MiB: ", counts.exact,
                   " exact, ", counts.empty, " empty, ", counts.legacy_modes, " with old modes");
  for (const auto& [reason, count] : counts.refused) {
    absl::StrAppend(&text, ", ", count, " ", reason);
  }
  for (const auto& [reason, first] : counts.refusals)
    absl::StrAppend(&text, "\n    ", reason, ": ", first);
  return absl::StrCat(text, ", ", counts.different.size(), " different");
}

void ExpectExact(const ReplayOptions& options) {
  SCOPED_TRACE(absl::StrCat(options.repository, options.renames ? " with -M" : ""));
  const absl::StatusOr<ReplayCounts> counts = ReplayHistory(options, base::RealClock());
  ASSERT_OK(counts);
  std::cout << options.repository << (options.renames ? " -M: " : ": ") << Text(*counts)
            << std::endl;
  EXPECT_THAT(counts->different, IsEmpty());
  EXPECT_GT(counts->exact, 0u);
  for (const auto& [reason, first] : counts->refusals) {
    EXPECT_EQ(Allowed().count(reason), 1u) << reason << ": " << first;
  }
}

// The project's own history; SLIPWAY_REPLAY=/a/.git:/b/.git replays other repositories, all of
// SLIPWAY_REPLAY_COMMITS commits of each.
TEST(HistoryReplayTest, EveryCommitOfHistoryGivesItsTreeOrANamedRefusal) {
  const char* const named = std::getenv("SLIPWAY_REPLAY");
  const char* const commits = std::getenv("SLIPWAY_REPLAY_COMMITS");
  std::vector<std::string> repositories = {OwnHistory()};
  absl::Duration time_max = absl::Seconds(20);
  if (named != nullptr) {
    repositories = absl::StrSplit(named, ':', absl::SkipEmpty());
    time_max = absl::InfiniteDuration();
  }
  size_t commits_max = 0;
  if (commits != nullptr) {
    ASSERT_TRUE(absl::SimpleAtoi(commits, &commits_max));
  }
  for (const std::string& repository : repositories) {
    SLIPWAY_NEEDS(named != nullptr || git::Repository::Open(repository).ok(),
                  "the sources have no history");
    for (const bool renames : {false, true}) {
      ExpectExact({.repository = repository,
                   .renames = renames,
                   .commits_max = commits_max,
                   .time_max = time_max});
    }
  }
}

class MadeHistoryTest : public git::GitFixture {};

TEST_F(MadeHistoryTest, RenamesSwapsAndTypeChangesAreExact) {
  const std::string work = directory_.File("work");
  const auto git = [&](std::vector<std::string> arguments) {
    const Outcome outcome = RunGit(work, std::move(arguments));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  };
  const auto commit = [&] {
    git({"add", "-A"});
    git({"commit", "-q", "-m", "x"});
  };
  const auto shell = [&](const std::string& script) {
    const auto result = base::RunCommand(
        {.argv = {"sh", "-ec", script}, .inherit_env = true, .directory = work}, absl::Seconds(20));
    ASSERT_OK(result);
    ASSERT_TRUE(result->exit.ok()) << result->err;
  };
  ASSERT_EQ(RunGit(directory_.path(), {"init", "-q", "work"}).code, 0);
  shell(
      "seq 1 50 > a; seq 100 150 > b; mkdir d; seq 200 240 > 'd/with space'; chmod +x a; : > 'x "
      "b_y'");
  commit();
  shell("mv a c; mv 'd/with space' d/moved; echo more >> d/moved");
  commit();
  shell("mv b t; mv c b; mv t c");
  commit();
  shell(
      "rm -r d; seq 1 9 > d; rm c; ln -s d c; mkdir e; : > 'e/p b'; mkdir -p 'e/q b'; : > 'e/q "
      "b/r'");
  commit();
  shell("rm d; mkdir d; printf 'a\\000b' > d/bin; printf 'no end' > d/end; chmod -x b");
  commit();
  shell(
      "mkdir -p 'x b'; mv 'x b_y' 'x b/y'; printf 'a\\000c' > d/bin; mv d/end 'd/\"quoted\".txt'");
  commit();
  for (const bool renames : {false, true}) {
    ASSERT_OK_AND_ASSIGN(
        const ReplayCounts counts,
        ReplayHistory({.repository = work + "/.git", .renames = renames}, base::RealClock()));
    EXPECT_EQ(counts.commits, 6u);
    EXPECT_EQ(counts.exact, 6u) << Text(counts);
  }
}

}  // namespace
}  // namespace slipway::inspection
