// Kills the reviewer before each call with which it changes a file, from the patch to the landed
// change, and looks at what a restart makes of it.

#include <dlfcn.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "lib/git/git_fixture.h"
#include "lib/patch/patch.h"
#include "lib/patch/renderer.h"
#include "services/reviewer/testing/review_desk.h"

namespace {

// Calls left until the kill; negative: none comes. Counts in `calls_made` either way.
std::atomic<int> calls_left{-1};
std::atomic<int> calls_made{0};

void CountCall() {
  ++calls_made;
  if (calls_left >= 0 && calls_left-- == 0) kill(getpid(), SIGKILL);
}

template <typename Function>
Function* RealOf(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// The program's own come before those of the C library, for SQLite and libgit2, too.
extern "C" {
int fsync(int file) {
  CountCall();
  static auto* const real = RealOf(&fsync, "fsync");
  return real(file);
}
int fdatasync(int file) {
  CountCall();
  static auto* const real = RealOf(&fdatasync, "fdatasync");
  return real(file);
}
int rename(const char* from, const char* to) noexcept {
  CountCall();
  static auto* const real = RealOf(&rename, "rename");
  return real(from, to);
}
int unlink(const char* path) noexcept {
  CountCall();
  static auto* const real = RealOf(&unlink, "unlink");
  return real(path);
}
ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t offset) {
  CountCall();
  static auto* const real = RealOf(&pwrite64, "pwrite64");
  return real(file, bytes, size, offset);
}
ssize_t write(int file, const void* bytes, size_t size) {
  CountCall();
  static auto* const real = RealOf(&write, "write");
  return real(file, bytes, size);
}
}

namespace slipway::reviewer {
namespace {

namespace fs = std::filesystem;

// Every how manieth call is killed; REVIEWER_KILL_STRIDE=1 kills at each of them.
int Stride() {
  int stride = 9;
  const char* const text = std::getenv("REVIEWER_KILL_STRIDE");
  if (text != nullptr) {
    EXPECT_TRUE(absl::SimpleAtoi(text, &stride) && stride > 0) << text;
  }
  return stride;
}

class LandingCrashTest : public git::GitFixture {
 protected:
  // A reviewer with a plan; one change has landed, so that the next one needs a merge.
  void SetUp() override {
    const std::string source = MakeWorkRepository("source");
    WriteFile(source + "/README.md", "# Shop\n");
    CommitAll(source, "start");
    template_ = directory_.File("template");
    ASSERT_OK(base::MakeDirectories(template_));
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ReviewDesk> desk, ReviewDesk::Open(template_));
    ASSERT_OK_AND_ASSIGN(const Plan plan, desk->OpenPlan(source));
    base_ = plan.base_commit;
    ASSERT_OK(desk->Inspect("first", base_, PatchOf("first")));
    ASSERT_OK(desk->Land("first"));
  }

  static std::string PatchOf(const std::string& task) {
    return patch::RenderUnified(
        {{.path = absl::StrCat("src/", task, ".txt"),
          .after = patch::FileState{.mode = patch::kRegular, .content = task + "\n"}}});
  }

  // All steps of one change.
  absl::Status LandSecond(const std::string& home) {
    ASSIGN_OR_RETURN(const std::unique_ptr<ReviewDesk> desk, ReviewDesk::Open(home));
    RETURN_IF_ERROR(desk->Inspect("second", base_, PatchOf("second")));
    return desk->Land("second").status();
  }

  // All steps of two changes that land by one move of the branch: the one behind is asked for
  // first, so that it waits.
  absl::Status LandTwo(const std::string& home) {
    ASSIGN_OR_RETURN(const std::unique_ptr<ReviewDesk> desk, ReviewDesk::Open(home));
    RETURN_IF_ERROR(desk->Inspect("second", base_, PatchOf("second")));
    RETURN_IF_ERROR(desk->Inspect("third", base_, PatchOf("third")));
    const absl::Status waits = desk->Land("third", {"second", "third"}).status();
    if (!waits.ok() && base::ReasonOf(waits) != "QUEUE_WAITING") return waits;
    RETURN_IF_ERROR(desk->Land("second", {"second", "third"}).status());
    return desk->Land("third", {"third"}).status();
  }

  // Runs the steps in a child that is killed before call `step`; how the child ended.
  int RunKilled(const std::string& home, int step, bool two = false) {
    const pid_t child = fork();
    if (child == 0) {
      calls_left = step;
      _exit((two ? LandTwo(home) : LandSecond(home)).ok() ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
  }

  // The change is on the branch once, the store knows it once, and nothing is half-done.
  void ExpectLanded(const std::string& home) {
    const std::string mirror = home + "/mirrors/shop.git";
    EXPECT_EQ(Git(mirror, {"rev-list", "--count", ReviewDesk::kBranch}), "3");
    EXPECT_EQ(Git(mirror, {"ls-tree", "-r", "--name-only", ReviewDesk::kBranch}),
              "README.md\nsrc/first.txt\nsrc/second.txt");
    EXPECT_EQ(Git(mirror, {"for-each-ref", "refs/candidates"}), "") << "refs stay behind";
    EXPECT_EQ(RunGit(mirror, {"fsck", "--strict", "--no-dangling"}).code, 0);
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ReviewDesk> desk, ReviewDesk::Open(home));
    ReviewStore& store = desk->workshop().store;
    EXPECT_THAT(store.ListIntents(), testkit::IsOkAndHolds(::testing::IsEmpty()));
    ASSERT_OK_AND_ASSIGN(const std::optional<Merged> merged,
                         store.FindMergedOfAttempt(ReviewDesk::AttemptOf("second")));
    ASSERT_TRUE(merged.has_value());
    EXPECT_EQ(merged->commit, Git(mirror, {"rev-parse", ReviewDesk::kBranch}));
  }

  std::string template_;
  std::string base_;
};

TEST_F(LandingCrashTest, AKillAtAnyStepEndsInTheSameState) {
  const int stride = Stride();
  int killed = 0;
  int step = 0;
  for (;; step += stride) {
    const std::string home = directory_.File(absl::StrCat("home", step));
    fs::copy(template_, home, fs::copy_options::recursive);
    const int status = RunKilled(home, step);
    if (!WIFSIGNALED(status)) {
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
      break;  // It was done before the call came.
    }
    ASSERT_EQ(WTERMSIG(status), SIGKILL);
    ++killed;
    ASSERT_OK(LandSecond(home)) << "after a kill at step " << step;
    ExpectLanded(home);
    if (HasFailure()) FAIL() << "after a kill at step " << step;
    fs::remove_all(home);
  }
  EXPECT_GT(killed, 40 / stride) << "the calls are not counted";
  std::printf("killed at %d of %d steps\n", killed, step);
}

TEST_F(LandingCrashTest, TwoThatLandTogetherAreBothLandedAfterAKillAtAnyStep) {
  const int stride = Stride();
  int killed = 0;
  for (int step = 0;; step += stride) {
    const std::string home = directory_.File(absl::StrCat("two", step));
    fs::copy(template_, home, fs::copy_options::recursive);
    const int status = RunKilled(home, step, /*two=*/true);
    if (WIFSIGNALED(status)) ++killed;
    ASSERT_OK(LandTwo(home)) << "after a kill at step " << step;
    const std::string mirror = home + "/mirrors/shop.git";
    EXPECT_EQ(Git(mirror, {"log", "--format=%s", ReviewDesk::kBranch}),
              "Change third\nChange second\nChange first\nstart");
    EXPECT_EQ(Git(mirror, {"for-each-ref", "refs/candidates"}), "") << "refs stay behind";
    EXPECT_EQ(RunGit(mirror, {"fsck", "--strict", "--no-dangling"}).code, 0);
    if (HasFailure()) FAIL() << "after a kill at step " << step;
    fs::remove_all(home);
    if (!WIFSIGNALED(status)) break;
  }
  EXPECT_GT(killed, 60 / stride) << "the calls are not counted";
}

TEST_F(LandingCrashTest, ASecondKillWhileRecoveringChangesNothing) {
  const int stride = Stride() * 4;
  for (int step = 20;; step += stride) {
    const std::string home = directory_.File(absl::StrCat("twice", step));
    fs::copy(template_, home, fs::copy_options::recursive);
    if (!WIFSIGNALED(RunKilled(home, step))) break;
    for (int again = 3; WIFSIGNALED(RunKilled(home, again)); again += stride) {
    }
    ExpectLanded(home);
    if (HasFailure()) FAIL() << "after a kill at step " << step;
    fs::remove_all(home);
  }
}

}  // namespace
}  // namespace slipway::reviewer
