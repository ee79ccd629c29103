#include "lib/git/repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/git_fixture.h"
#include "lib/git/overlay.h"
#include "lib/git/ref_name.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;
using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::SizeIs;

class RepositoryTest : public GitFixture {};

TEST(OidTest, ParsesWhatItFormatsAndNothingElse) {
  const std::string hex = "0123456789abcdef0123456789abcdef01234567";
  EXPECT_EQ(Oid::Parse(hex)->ToHex(), hex);
  for (const char* bad :
       {"", "HEAD", "main@{1}", "0123456789abcdef0123456789abcdef0123456",
        "0123456789ABCDEF0123456789abcdef01234567", "0123456789abcdef0123456789abcdef01234567 "}) {
    EXPECT_THAT(Oid::Parse(bad), FailsWithReason("OID_INVALID")) << bad;
  }
}

TEST_F(RepositoryTest, ReadsRefsCommitsTreesAndBlobsAsGitWroteThem) {
  const std::string path = MakeWorkRepository("work");
  WriteFile(path + "/README", "hello\n");
  WriteFile(path + "/src/a/b.txt", "deep\n");
  const Oid first = CommitAll(path, "first");
  WriteFile(path + "/README", "hello again\n");
  const Oid second = CommitAll(path, "second line\n\nand a body");
  Git(path, {"tag", "-a", "-m", "release", "v1"});

  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(path));
  EXPECT_THAT(repository.ReadRef("refs/heads/main"), IsOkAndHolds(second));
  EXPECT_THAT(repository.ReadRef("HEAD"), IsOkAndHolds(second));
  EXPECT_THAT(repository.ReadRefCommit("refs/tags/v1"), IsOkAndHolds(second));
  EXPECT_THAT(repository.FindRef("refs/heads/none"), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(repository.ReadRef("refs/heads/none"), FailsWithReason("REF_NOT_FOUND"));

  ASSERT_OK_AND_ASSIGN(const Commit commit, ReadCommit(repository, second));
  EXPECT_THAT(commit.parents, ElementsAre(first));
  EXPECT_EQ(commit.author, Ada());
  EXPECT_EQ(commit.message, "second line\n\nand a body\n");
  EXPECT_EQ(commit.subject(), "second line");
  EXPECT_EQ(commit.tree, GitOid(path, {"rev-parse", "HEAD^{tree}"}));

  ASSERT_OK_AND_ASSIGN(const auto deep, FindEntry(repository, commit.tree, "src/a/b.txt"));
  ASSERT_TRUE(deep.has_value());
  EXPECT_EQ(deep->mode, kModeFile);
  EXPECT_THAT(ReadBlob(repository, deep->oid, 100), IsOkAndHolds("deep\n"));
  EXPECT_THAT(ReadBlob(repository, deep->oid, 4), FailsWithReason("OBJECT_TOO_LARGE"));
  EXPECT_THAT(ReadBlob(repository, commit.tree, 100), FailsWithReason("OBJECT_TYPE_WRONG"));
  EXPECT_THAT(ReadBlob(repository, Oid(), 100), FailsWithReason("OBJECT_MISSING"));
  EXPECT_THAT(FindEntry(repository, commit.tree, "README/x"), IsOkAndHolds(std::nullopt));
  ASSERT_OK_AND_ASSIGN(const auto directory, FindEntry(repository, commit.tree, "src/a"));
  EXPECT_TRUE(directory->is_tree());
  EXPECT_THAT(ListFiles(repository, commit.tree, 2), IsOkAndHolds(SizeIs(2)));
  EXPECT_THAT(ListFiles(repository, commit.tree, 1), FailsWithReason("LIST_TOO_LONG"));
}

TEST_F(RepositoryTest, HistoryFollowsFirstParentsAndMaySkipMerges) {
  const std::string path = MakeWorkRepository("work");
  const Oid root = CommitAll(path, "root");
  Git(path, {"checkout", "-q", "-b", "side"});
  const Oid side = CommitAll(path, "side");
  Git(path, {"checkout", "-q", "main"});
  const Oid straight = CommitAll(path, "straight");
  Git(path, {"merge", "-q", "--no-ff", "-m", "merge", "side"});
  const Oid merge = GitOid(path, {"rev-parse", "HEAD"});

  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(path));
  ASSERT_OK_AND_ASSIGN(const auto all, repository.History(merge, {.limit = 10}));
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[1].oid, straight);
  EXPECT_EQ(all[2].oid, root);
  ASSERT_OK_AND_ASSIGN(const auto plain,
                       repository.History(merge, {.limit = 1, .skip_merges = true}));
  ASSERT_THAT(plain, SizeIs(1));
  EXPECT_EQ(plain[0].oid, straight);
  EXPECT_THAT(repository.IsAncestor(side, merge), IsOkAndHolds(true));
  EXPECT_THAT(repository.IsAncestor(side, straight), IsOkAndHolds(false));
  EXPECT_THAT(repository.IsAncestor(merge, merge), IsOkAndHolds(true));
  EXPECT_THAT(repository.IsAncestor(Oid(), merge), FailsWithReason("OBJECT_MISSING"));
}

TEST_F(RepositoryTest, OpensOnlyWhatIsARepositoryAtThatPlace) {
  const std::string path = MakeWorkRepository("work");
  WriteFile(path + "/sub/file", "x");
  EXPECT_THAT(Repository::Open(path + "/sub"), FailsWithReason("NOT_A_REPOSITORY"));
  EXPECT_THAT(Repository::OpenBare(path), FailsWithReason("NOT_A_REPOSITORY"));
  EXPECT_THAT(Repository::Open(directory_.File("none")), FailsWithReason("NOT_A_REPOSITORY"));
}

TEST_F(RepositoryTest, NewBareRepositoryIsSafeForTheCommandLine) {
  const std::string path = directory_.File("mirror.git");
  ASSERT_OK(Repository::InitBare(path, {}));
  EXPECT_THAT(Repository::InitBare(path, {}), FailsWithReason("REPOSITORY_EXISTS"));
  EXPECT_EQ(Git(path, {"config", "core.hooksPath"}), "/dev/null");
  EXPECT_EQ(Git(path, {"config", "fetch.fsckObjects"}), "true");
  EXPECT_EQ(Git(path, {"config", "protocol.allow"}), "never");
  EXPECT_EQ(Git(path, {"rev-parse", "--is-bare-repository"}), "true");
  EXPECT_EQ(Git(path, {"symbolic-ref", "HEAD"}), "refs/heads/main");
}

class RefTest : public GitFixture {
 protected:
  void SetUp() override {
    ASSERT_OK(Repository::InitBare(path_, {}));
    repository_ = Repository::OpenBare(path_).value();
    Overlay overlay(*repository_);
    const Oid tree = overlay.WriteTree(Oid(), {}).value();
    for (int i = 0; i < 3; ++i) commits_[i] = PutCommit(overlay, tree, {}, i).value();
    ASSERT_OK(overlay.Publish(*repository_));
  }

  static absl::StatusOr<Oid> PutCommit(Overlay& overlay, const Oid& tree, std::vector<Oid> parents,
                                       int number) {
    return overlay.PutCommit({.tree = tree,
                              .parents = std::move(parents),
                              .author = Ada(),
                              .committer = Ada(),
                              .message = absl::StrCat("commit ", number)});
  }

  // Puts one commit on top of `ref`, as a service does for each request.
  absl::Status Advance(const std::string& ref) {
    ASSIGN_OR_RETURN(Repository repository, Repository::OpenBare(path_));
    ASSIGN_OR_RETURN(const Oid tip, repository.ReadRef(ref));
    Overlay overlay(repository);
    ASSIGN_OR_RETURN(const Oid tree, overlay.WriteTree(Oid(), {}));
    ASSIGN_OR_RETURN(const Oid next, PutCommit(overlay, tree, {tip}, 0));
    RETURN_IF_ERROR(overlay.Publish(repository));
    return repository.CompareAndSwap(ref, tip, next, "advance");
  }

  const std::string path_ = directory_.File("mirror.git");
  std::optional<Repository> repository_;
  Oid commits_[3];
};

TEST_F(RefTest, MovesOnlyFromTheExpectedState) {
  const std::string ref = "refs/heads/plan/x";
  EXPECT_THAT(repository_->CompareAndSwap(ref, commits_[0], commits_[1], "m"),
              FailsWithReason("REF_MOVED"));
  EXPECT_OK(repository_->CompareAndSwap(ref, std::nullopt, commits_[0], "create"));
  EXPECT_THAT(repository_->CompareAndSwap(ref, std::nullopt, commits_[1], "m"),
              FailsWithReason("REF_EXISTS"));
  EXPECT_THAT(repository_->CompareAndSwap(ref, Oid(), commits_[1], "m"),
              FailsWithReason("REF_MOVED"));
  EXPECT_THAT(repository_->CompareAndSwap(ref, commits_[1], commits_[2], "m"),
              FailsWithReason("REF_MOVED"));
  EXPECT_OK(repository_->CompareAndSwap(ref, commits_[0], commits_[1], "land change 7"));
  EXPECT_THAT(repository_->ReadRef(ref), IsOkAndHolds(commits_[1]));
  EXPECT_THAT(Git(path_, {"reflog", ref}), ::testing::HasSubstr("land change 7"));
}

TEST_F(RefTest, TargetMustExist) {
  EXPECT_THAT(repository_->CompareAndSwap("refs/heads/x", std::nullopt, Oid(), "m"),
              FailsWithReason("OBJECT_MISSING"));
}

TEST_F(RefTest, NamesAboveAndBelowEachOtherExclude) {
  ASSERT_OK(repository_->CompareAndSwap("refs/heads/a", std::nullopt, commits_[0], "m"));
  EXPECT_THAT(repository_->CompareAndSwap("refs/heads/a/b", std::nullopt, commits_[0], "m"),
              FailsWithReason("REF_EXISTS"));
  ASSERT_OK(repository_->CompareAndSwap("refs/heads/c/d", std::nullopt, commits_[0], "m"));
  EXPECT_THAT(repository_->CompareAndSwap("refs/heads/c", std::nullopt, commits_[0], "m"),
              FailsWithReason("REF_EXISTS"));
}

TEST_F(RefTest, LockOfAnotherProcessIsNamed) {
  ASSERT_OK(repository_->CompareAndSwap("refs/heads/a", std::nullopt, commits_[0], "m"));
  WriteFile(path_ + "/refs/heads/a.lock", "");
  EXPECT_THAT(repository_->CompareAndSwap("refs/heads/a", commits_[0], commits_[1], "m"),
              FailsWithReason("REF_LOCKED"));
}

TEST_F(RefTest, DeletesOnlyFromTheExpectedStateAndListsByPrefix) {
  for (const char* ref : {"refs/heads/a", "refs/heads/b", "refs/mq/a"}) {
    ASSERT_OK(repository_->CompareAndSwap(ref, std::nullopt, commits_[0], "m"));
  }
  Git(path_, {"pack-refs", "--all"});
  EXPECT_THAT(repository_->DeleteRef("refs/heads/a", commits_[1]), FailsWithReason("REF_MOVED"));
  EXPECT_OK(repository_->DeleteRef("refs/heads/a", commits_[0]));
  EXPECT_THAT(repository_->DeleteRef("refs/heads/a", commits_[0]),
              FailsWithReason("REF_NOT_FOUND"));
  EXPECT_THAT(repository_->ListRefs("refs/heads/", 10),
              IsOkAndHolds(ElementsAre(Ref{"refs/heads/b", commits_[0]})));
  EXPECT_THAT(repository_->ListRefs("refs/", 1), FailsWithReason("LIST_TOO_LONG"));
}

TEST(RefNameTest, DangerousNamesAreRefused) {
  EXPECT_OK(CheckRefName("refs/heads/plan/2026-11-21-walking-suite"));
  for (const char* bad : {"main",
                          "HEAD",
                          "refs/heads",
                          "refs/heads/",
                          "refs/heads/../main",
                          "refs/heads/a.lock",
                          "refs/heads/A.LOCK",
                          "refs/heads/a.lock/b",
                          "refs/heads/a@{1}",
                          "refs/heads/@",
                          "refs/heads/a~1",
                          "refs/heads/a^",
                          "refs/heads/a:b",
                          "refs/heads/a?",
                          "refs/heads/*",
                          "refs/heads/[a",
                          "refs/heads/a\\b",
                          "refs/heads/a b",
                          "refs/heads/a\n",
                          "refs/heads/.a",
                          "refs/heads/-f",
                          "refs/heads/a.",
                          "refs/heads//a",
                          "/refs/heads/a",
                          "refs/heads/a\x7f"}) {
    EXPECT_THAT(CheckRefName(bad), FailsWithReason("REF_NAME_INVALID")) << bad;
  }
  EXPECT_THAT(CheckRefName("refs/heads/" + std::string(250, 'a')),
              FailsWithReason("REF_NAME_INVALID"));
}

TEST_F(RefTest, EveryWinOfEightRacingThreadsIsOneCommitOfTheChain) {
  const std::string ref = "refs/heads/race";
  ASSERT_OK(repository_->CompareAndSwap(ref, std::nullopt, commits_[0], "start"));
  std::atomic<int> wins = 0;
  std::atomic<int> strange = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 15; ++round) {
        Repository repository = Repository::OpenBare(path_).value();
        const Oid tip = repository.ReadRef(ref).value();
        Overlay overlay(repository);
        const Oid tree = overlay.WriteTree(Oid(), {}).value();
        const Oid next = PutCommit(overlay, tree, {tip}, 100 * thread + round).value();
        const absl::Status published = overlay.Publish(repository);
        const absl::Status swapped = repository.CompareAndSwap(ref, tip, next, "race");
        if (published.ok() && swapped.ok()) {
          ++wins;
        } else if (!published.ok() || base::ReasonOf(swapped) != "REF_MOVED") {
          ++strange;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(strange, 0);
  EXPECT_GT(wins, 0);
  EXPECT_EQ(Git(path_, {"rev-list", "--count", ref}), absl::StrCat(wins + 1));
  Git(path_, {"fsck", "--strict", "--no-dangling"});
}

TEST_F(RefTest, APinPointsWhereverItIsToldAndIsARefForGit) {
  const std::string ref = "refs/pins/deep/x";
  ASSERT_OK(repository_->Pin(ref, commits_[0]));
  ASSERT_OK(repository_->Pin(ref, commits_[2]));
  EXPECT_EQ(Git(path_, {"rev-parse", ref}), commits_[2].ToHex());
  EXPECT_THAT(repository_->Pin("refs/pins/deep", commits_[0]), FailsWithReason("REF_EXISTS"));
  EXPECT_THAT(repository_->Pin("refs/pins/deep/x/y", commits_[0]), FailsWithReason("REF_EXISTS"));
  EXPECT_THAT(repository_->Pin("refs/pins/z", Oid()), FailsWithReason("OBJECT_MISSING"));
  WriteFile(path_ + "/refs/pins/z.lock", "");
  EXPECT_THAT(repository_->Pin("refs/pins/z", commits_[0]), FailsWithReason("REF_LOCKED"));
}

TEST_F(RefTest, APackedRefIsSwappedAsAFileIs) {
  const std::string ref = "refs/heads/packed";
  ASSERT_OK(repository_->CompareAndSwap(ref, std::nullopt, commits_[0], "m"));
  Git(path_, {"pack-refs", "--all"});
  EXPECT_THAT(repository_->CompareAndSwap(ref, commits_[1], commits_[2], "m"),
              FailsWithReason("REF_MOVED"));
  EXPECT_OK(repository_->CompareAndSwap(ref, commits_[0], commits_[1], "m"));
  EXPECT_OK(repository_->CompareAndSwap(ref, commits_[1], commits_[2], "m"));
  EXPECT_EQ(Git(path_, {"rev-parse", ref}), commits_[2].ToHex());
}

TEST_F(RefTest, ASwapWaitsForNoLockOfGit) {
  const std::string ref = "refs/heads/held";
  ASSERT_OK(repository_->CompareAndSwap(ref, std::nullopt, commits_[0], "m"));
  WriteFile(path_ + "/" + ref + ".lock", "");
  EXPECT_THAT(repository_->CompareAndSwap(ref, commits_[0], commits_[1], "m"),
              FailsWithReason("REF_LOCKED"));
  EXPECT_EQ(Git(path_, {"rev-parse", ref}), commits_[0].ToHex());
  EXPECT_EQ(access((path_ + "/" + ref + ".lock").c_str(), F_OK), 0) << "the lock of another";
}

TEST_F(RefTest, SweepRemovesRefsThatAFailureOfPowerEmptied) {
  ASSERT_OK(repository_->Pin("refs/pins/a", commits_[0]));
  WriteFile(path_ + "/refs/pins/b", "");
  WriteFile(path_ + "/refs/pins/c", std::string(41, '\0'));
  ASSERT_OK_AND_ASSIGN(const base::UniqueFd owner, Repository::LockOwner(path_));
  EXPECT_THAT(Repository::SweepStale(path_, owner), IsOkAndHolds(2));
  EXPECT_THAT(repository_->ListRefs("refs/pins/", 10), IsOkAndHolds(SizeIs(1)));
}

TEST_F(RefTest, SweepRemovesWhatKilledWritersLeftAndNothingElse) {
  ASSERT_OK(repository_->CompareAndSwap("refs/heads/a", std::nullopt, commits_[0], "m"));
  for (const char* stale :
       {"/refs/heads/a.lock", "/packed-refs.lock", "/objects/pack/pack_git2_abc",
        "/objects/pack/tmp_pack_x", "/objects/pack/pack-00.idx", "/objects/ab/tmp_obj_1"}) {
    WriteFile(path_ + stale, "left behind");
  }
  for (const char* ref : {"refs/heads/incoming-call", "refs/heads/tmp_obj_x", "refs/heads/a.idx"}) {
    ASSERT_OK(repository_->CompareAndSwap(ref, std::nullopt, commits_[0], "m"));
  }
  ASSERT_OK_AND_ASSIGN(const base::UniqueFd owner, Repository::LockOwner(path_));
  EXPECT_THAT(Repository::LockOwner(path_), FailsWithReason("LOCKED"));

  EXPECT_THAT(Repository::SweepStale(path_, owner), IsOkAndHolds(6));
  EXPECT_THAT(Repository::SweepStale(path_, owner), IsOkAndHolds(0));

  EXPECT_OK(repository_->CompareAndSwap("refs/heads/a", commits_[0], commits_[1], "m"));
  EXPECT_THAT(repository_->ListRefs("refs/heads/", 10), IsOkAndHolds(SizeIs(4)));
  Git(path_, {"fsck", "--strict", "--no-dangling"});
}

TEST_F(RefTest, KilledWriterLeavesAConnectedChainThatGoesOnAfterTheSweep) {
  const std::string ref = "refs/heads/crash";
  ASSERT_OK(repository_->CompareAndSwap(ref, std::nullopt, commits_[0], "start"));
  for (int round = 0; round < 10; ++round) {
    const Oid before = repository_->ReadRef(ref).value();
    const pid_t writer = fork();
    if (writer == 0) {
      while (Advance(ref).ok()) {
      }
      _exit(1);
    }
    ASSERT_GT(writer, 0);
    // Kills in the middle of the work that follows the first or a later move.
    Oid seen = before;
    for (int moves = 0; moves <= round % 4; ++moves) {
      Oid now = seen;
      while (now == seen && waitpid(writer, nullptr, WNOHANG) == 0) {
        now = Repository::OpenBare(path_)->ReadRef(ref).value_or(seen);
      }
      seen = now;
    }
    kill(writer, SIGKILL);
    int status = 0;
    waitpid(writer, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself";

    ASSERT_OK_AND_ASSIGN(const base::UniqueFd owner, Repository::LockOwner(path_));
    ASSERT_OK(Repository::SweepStale(path_, owner));
    ASSERT_OK(Advance(ref));
  }
  Git(path_, {"fsck", "--strict", "--no-dangling"});
  EXPECT_EQ(Git(path_, {"rev-list", "--max-parents=0", ref}), commits_[0].ToHex());
}

TEST_F(RepositoryTest, AncestorsEndWhereHistoryWasCutOff) {
  const std::string whole = MakeWorkRepository("whole");
  std::vector<Oid> line;
  for (int i = 0; i < 5; ++i) line.push_back(CommitAll(whole, absl::StrCat("commit ", i)));
  Git(whole, {"checkout", "-q", "-b", "side", line[3].ToHex()});
  const Oid side = CommitAll(whole, "side");
  Git(whole, {"checkout", "-q", "main"});
  Git(whole, {"merge", "-q", "--no-ff", "-m", "merge", "side"});
  const Oid merge = GitOid(whole, {"rev-parse", "HEAD"});
  const std::string cut = directory_.File("cut");
  Git(directory_.path(), {"clone", "-q", "--depth=3", "file://" + whole, cut});
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(cut));

  EXPECT_THAT(repository.IsAncestor(side, merge), IsOkAndHolds(true));
  EXPECT_THAT(repository.IsAncestor(line[3], merge), IsOkAndHolds(true));
  EXPECT_THAT(repository.IsAncestor(line[3], side), IsOkAndHolds(true));
  EXPECT_THAT(repository.IsAncestor(line[4], side), IsOkAndHolds(false));
  EXPECT_THAT(repository.IsAncestor(merge, side), IsOkAndHolds(false));
  EXPECT_THAT(repository.IsAncestor(line[0], merge), FailsWithReason("OBJECT_MISSING"));
}

}  // namespace
}  // namespace slipway::git
