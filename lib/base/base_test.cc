#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/id_generator.h"
#include "lib/base/process.h"
#include "lib/base/reply.h"
#include "lib/base/resource_name.h"
#include "lib/base/thread_pool.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::base {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;
using ::slipway::testkit::StatusIs;
using ::testing::ElementsAre;

TEST(Error, KeepsItsDetailWhateverBytesAreInIt) {
  const std::string odd("a:b\0c\n12:", 9);
  const absl::Status status =
      RetryableError(absl::StatusCode::kUnavailable, "GATE_CLOSED", "closed",
                     absl::Milliseconds(1500), {{"gate", odd}, {"", "empty key"}});

  const std::optional<ErrorDetail> detail = DetailOf(status);

  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "GATE_CLOSED");
  EXPECT_EQ(detail->retry_after, absl::Milliseconds(1500));
  EXPECT_EQ(detail->metadata.at("gate"), odd);
  EXPECT_EQ(detail->metadata.at(""), "empty key");
}

TEST(Error, AnnotationKeepsCodeAndReason) {
  const absl::Status status =
      Annotate(Error(absl::StatusCode::kNotFound, "X_UNKNOWN", "no x"), "a");

  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(status, FailsWithReason("X_UNKNOWN"));
  EXPECT_EQ(status.message(), "a: no x");
}

TEST(ResourceName, GivesTheIdsOfAPatternInOrder) {
  EXPECT_THAT(MatchName("projects/*/plans/*", "projects/a/plans/b-2"),
              IsOkAndHolds(ElementsAre("a", "b-2")));
}

TEST(ResourceName, RefusesWhatDoesNotFit) {
  for (const char* name : {"", "projects", "projects/", "projects/A", "projects/a/", "plans/a",
                           "projects/-a", "projects/a-", "projects/a b", "projects/.."}) {
    EXPECT_THAT(MatchName("projects/*", name), FailsWithReason("NAME_INVALID")) << name;
  }
  EXPECT_THAT(MatchName("projects/*", "projects/" + std::string(64, 'a')),
              FailsWithReason("NAME_INVALID"));
}

TEST(Slug, IsAlwaysAValidId) {
  for (const char* text : {"Export as CSV!", "  ", "---", "ÄÖ", "a", "9 lives"}) {
    EXPECT_TRUE(IsValidId(Slug(text))) << text;
  }
  EXPECT_EQ(Slug("Export as CSV!"), "export-as-csv");
}

TEST(Slug, IsCutBetweenWords) {
  EXPECT_EQ(Slug("import bank statements and report by month", 32), "import-bank-statements-and");
  EXPECT_EQ(Slug("abcdefghijklmnop", 8), "abcdefgh");
}

TEST(Digest, IsSha256) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(RandomIds, AreValidIdsAndDiffer) {
  const std::string first = RandomIds().NewId("plan");
  EXPECT_TRUE(IsValidId(first)) << first;
  EXPECT_NE(first, RandomIds().NewId("plan"));
  EXPECT_GE(RandomIds().NewSecret("").size(), 43u);
}

TEST(Reply, AnswersOnceAndNeverStaysSilent) {
  std::vector<absl::StatusOr<int>> answers;
  const auto keep = [&](absl::StatusOr<int> answer) { answers.push_back(std::move(answer)); };
  {
    Reply<int> answered(keep);
    std::move(answered)(7);
    const Reply<int> dropped(keep);
  }
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_THAT(answers[0], IsOkAndHolds(7));
  EXPECT_THAT(answers[1], StatusIs(absl::StatusCode::kInternal));
}

TEST(ThreadPool, RunsWhatIsQueuedBeforeItStopsAndRefusesTheRest) {
  std::atomic<int> ran = 0;
  ThreadPool pool({.threads = 3, .queue_max = 1'000});
  for (int i = 0; i < 500; ++i) ASSERT_OK(pool.TryRun([&] { ++ran; }));
  pool.Stop();

  EXPECT_EQ(ran, 500);
  EXPECT_THAT(pool.TryRun([] {}), FailsWithReason("SHUTTING_DOWN"));
}

TEST(RealClock, CallsTimersInOrderAndNotAfterTheyAreGone) {
  Mutex mutex;
  CondVar changed;
  std::vector<int> calls;
  const auto record = [&](int value) {
    return [&, value] {
      MutexLock lock(mutex);
      calls.push_back(value);
      changed.NotifyAll();
    };
  };
  const auto second = RealClock().RunAfter(absl::Milliseconds(20), record(2));
  const auto first = RealClock().RunAfter(absl::Milliseconds(5), record(1));
  RealClock().RunAfter(absl::Milliseconds(1), record(0)).reset();

  MutexLock lock(mutex);
  while (calls.size() < 2) changed.Wait(mutex);
  EXPECT_THAT(calls, ElementsAre(1, 2));
}

TEST(FakeClock, FiresTimersOnlyWhenItIsAdvanced) {
  testkit::FakeClock clock;
  int fired = 0;
  const auto timer = clock.RunAfter(absl::Seconds(10), [&] { ++fired; });

  clock.StepWall(absl::Hours(1));
  clock.Advance(absl::Seconds(9));
  EXPECT_EQ(fired, 0);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(fired, 1);
}

TEST(File, IsReplacedWholeAndReadWithALimit) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.File("f");
  ASSERT_OK(WriteFileAtomic(path, "one"));
  ASSERT_OK(WriteFileAtomic(path, "two"));

  EXPECT_THAT(ReadFile(path), IsOkAndHolds("two"));
  EXPECT_THAT(ReadFile(path, 2), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(ReadFile(directory.File("none")), StatusIs(absl::StatusCode::kNotFound));
}

TEST(File, CopySharesNothingAndReplacesNothing) {
  const testkit::TemporaryDirectory directory;
  const std::string from = directory.File("from");
  const std::string to = directory.File("to");
  const std::string content(600'000, 'x');
  ASSERT_OK(WriteFileAtomic(from, content));

  ASSERT_OK(CopyFile(from, to));
  ASSERT_OK(Sync(to));
  ASSERT_OK(WriteFileAtomic(from, "other"));

  EXPECT_THAT(ReadFile(to), IsOkAndHolds(content));
  EXPECT_EQ(CopyFile(from, to).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(ReadFile(to), IsOkAndHolds(content));
  EXPECT_EQ(CopyFile(directory.File("none"), directory.File("new")).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Sync(directory.File("none")).code(), absl::StatusCode::kNotFound);
}

TEST(File, LockHasOneHolder) {
  const testkit::TemporaryDirectory directory;
  ASSERT_OK_AND_ASSIGN(UniqueFd lock, LockFile(directory.File("lock")));

  EXPECT_THAT(LockFile(directory.File("lock")), FailsWithReason("LOCKED"));
  lock.Close();
  EXPECT_OK(LockFile(directory.File("lock")));
}

TEST(Process, GivesOutputAndExitCode) {
  ASSERT_OK_AND_ASSIGN(
      const CommandResult result,
      RunCommand({.argv = {"sh", "-c", "cat; echo bad >&2; exit 3"}}, absl::Seconds(10), "good"));

  EXPECT_EQ(result.out, "good");
  EXPECT_EQ(result.err, "bad\n");
  EXPECT_EQ(result.exit.code, 3);
}

TEST(Process, InheritsNoEnvironmentAndNoDescriptors) {
  ASSERT_EQ(setenv("SLIPWAY_BASE_TEST", "leaks", 1), 0);
  const UniqueFd open_here(dup(1));

  ASSERT_OK_AND_ASSIGN(
      const CommandResult result,
      RunCommand({.argv = {"/bin/sh", "-c", "echo \"[$SLIPWAY_BASE_TEST]\"; ls /proc/self/fd"},
                  .env = {{"PATH", "/usr/bin:/bin"}}},
                 absl::Seconds(10)));

  EXPECT_EQ(result.out, "[]\n0\n1\n2\n3\n");  // 3 is the directory that ls reads.
}

TEST(Process, MissingProgramIsAnErrorNotAnExitCode) {
  EXPECT_THAT(Process::Spawn({.argv = {"/nonexistent/program"}}),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(Process, TimeoutKillsTheWholeGroup) {
  ASSERT_OK_AND_ASSIGN(
      const CommandResult result,
      RunCommand({.argv = {"sh", "-c", "sleep 60 & sleep 60"}, .inherit_env = true},
                 absl::Milliseconds(200)));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit.signal, SIGKILL);
}

TEST(Process, OutputBeyondTheLimitIsCut) {
  ASSERT_OK_AND_ASSIGN(
      const CommandResult result,
      RunCommand({.argv = {"sh", "-c", "head -c 100000 /dev/zero"}, .inherit_env = true},
                 absl::Seconds(10), "", 1'000));
  EXPECT_TRUE(result.truncated);
  EXPECT_EQ(result.out.size(), 1'000u);
  EXPECT_TRUE(result.exit.ok());
}

}  // namespace
}  // namespace slipway::base
