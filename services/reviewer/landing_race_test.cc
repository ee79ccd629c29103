#include <atomic>
#include <cstdlib>
#include <set>
#include <thread>

#include "absl/strings/numbers.h"
#include "lib/base/error.h"
#include "lib/git/git_fixture.h"
#include "lib/patch/patch.h"
#include "lib/patch/renderer.h"
#include "services/reviewer/testing/review_desk.h"

namespace slipway::reviewer {
namespace {

constexpr int kWriters = 8;

// Merges that are tried; REVIEWER_RACES says how many, ten thousand for the full run.
int Races() {
  int races = 240;
  const char* const text = std::getenv("REVIEWER_RACES");
  if (text != nullptr) {
    EXPECT_TRUE(absl::SimpleAtoi(text, &races)) << text;
  }
  return races;
}

using LandingRaceTest = git::GitFixture;

TEST_F(LandingRaceTest, TheChainIsAsLongAsThereWereWins) {
  const std::string source = MakeWorkRepository("source");
  WriteFile(source + "/README.md", "# Shop\n");
  CommitAll(source, "start");
  const std::string home = directory_.File("reviewer");
  ASSERT_OK(base::MakeDirectories(home));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ReviewDesk> desk, ReviewDesk::Open(home));
  ASSERT_OK_AND_ASSIGN(const Plan plan, desk->OpenPlan(source));

  const int races = Races();
  std::atomic<int> tried{0};
  std::atomic<int> lost{0};
  base::Mutex mutex;
  std::set<std::string> landed;  // Commits.
  int wins = 0;
  const auto write = [&](int writer) {
    for (int change = 0; tried < races; ++change) {
      const std::string task = absl::StrCat("w", writer, "-", change);
      const std::string patch = patch::RenderUnified(
          {{.path = absl::StrCat("src/", task, ".txt"),
            .after = patch::FileState{.mode = patch::kRegular, .content = task + "\n"}}});
      const absl::Status inspected = desk->Inspect(task, plan.base_commit, patch);
      if (!inspected.ok()) {
        ADD_FAILURE() << inspected;
        return;
      }
      while (true) {
        ++tried;
        const absl::StatusOr<Merged> merged = desk->Land(task);
        if (merged.ok()) {
          base::MutexLock lock(mutex);
          ++wins;
          landed.insert(merged->commit);
          break;
        }
        ++lost;
        if (base::ReasonOf(merged.status()) != "BRANCH_MOVED") {
          ADD_FAILURE() << merged.status();
          return;
        }
      }
    }
  };
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) writers.emplace_back(write, writer);
  for (std::thread& writer : writers) writer.join();

  EXPECT_GE(tried, races);
  EXPECT_GT(lost, 0) << "nobody raced";
  EXPECT_EQ(landed.size(), static_cast<size_t>(wins));
  const std::string mirror = home + "/mirrors/shop.git";
  EXPECT_EQ(Git(mirror, {"rev-list", "--count", ReviewDesk::kBranch}), absl::StrCat(wins + 1));
  EXPECT_EQ(Git(mirror, {"ls-tree", "-r", "--name-only", ReviewDesk::kBranch, "src/"}).empty(),
            false);
  const std::string files =
      Git(mirror, {"ls-tree", "-r", "--name-only", ReviewDesk::kBranch, "src/"});
  EXPECT_EQ(std::count(files.begin(), files.end(), '\n') + 1, wins);
  EXPECT_THAT(desk->workshop().store.ListIntents(), testkit::IsOkAndHolds(::testing::IsEmpty()));
  EXPECT_EQ(RunGit(mirror, {"fsck", "--strict", "--no-dangling"}).code, 0);
  RecordProperty("tried", tried);
  RecordProperty("wins", wins);
  std::printf("tried %d, won %d, lost %d\n", tried.load(), wins, lost.load());
}

}  // namespace
}  // namespace slipway::reviewer
