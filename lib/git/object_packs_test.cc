#include "lib/git/object_packs.h"

#include <atomic>
#include <filesystem>
#include <thread>

#include "lib/git/git_fixture.h"
#include "lib/git/overlay.h"
#include "lib/git/repository.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::IsOk;
using ::slipway::testkit::IsOkAndHolds;

class ObjectPacksTest : public GitFixture {
 protected:
  void SetUp() override {
    path_ = directory_.File("store.git");
    repository_.emplace(Repository::InitBare(path_, {}).value());
    objects_ = repository_->path() + "objects";
  }

  // A pack of a commit with one file, on a ref of its own.
  Oid AddCommit(int number) {
    Overlay overlay(*repository_);
    const Oid blob = overlay.PutBlob(absl::StrCat("content ", number, "\n")).value();
    const Oid tree = overlay.WriteTree(Oid(), {{"file", FileChange{.oid = blob}}}).value();
    const Oid commit = overlay
                           .PutCommit({.tree = tree,
                                       .parents = {},
                                       .author = Ada(),
                                       .committer = Ada(),
                                       .message = absl::StrCat("Commit ", number)})
                           .value();
    EXPECT_OK(overlay.Publish(*repository_));
    EXPECT_OK(repository_->CompareAndSwap(absl::StrCat("refs/test/r", number), std::nullopt, commit,
                                          "m"));
    return commit;
  }

  int CountPacks() {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(objects_ + "/pack")) {
      count += entry.path().extension() == ".pack" ? 1 : 0;
    }
    return count;
  }

  void ExpectSound() {
    const Outcome fsck = RunGit(path_, {"fsck", "--full", "--strict"});
    EXPECT_EQ(fsck.code, 0) << fsck.err;
  }

  std::string path_;
  std::string objects_;
  std::optional<Repository> repository_;
};

TEST_F(ObjectPacksTest, WhatWasWrittenIsReadByGitAndByUs) {
  const Oid commit = AddCommit(1);
  EXPECT_EQ(CountPacks(), 1);
  EXPECT_EQ(Git(path_, {"show", commit.ToHex() + ":file"}), "content 1");
  EXPECT_TRUE(Repository::OpenBare(path_)->Contains(commit));
  ExpectSound();
}

TEST_F(ObjectPacksTest, TheSamePackTwiceIsOne) {
  const std::vector<NewObject> objects = {
      {.oid = HashObject(ObjectType::kBlob, "x"), .type = ObjectType::kBlob, .bytes = "x"}};
  ASSERT_OK(WritePack(objects_, objects));
  ASSERT_OK(WritePack(objects_, objects));
  EXPECT_EQ(CountPacks(), 1);
  EXPECT_OK(WritePack(objects_, {}));
  EXPECT_EQ(CountPacks(), 1);
}

TEST_F(ObjectPacksTest, FewPacksStayAsTheyAre) {
  for (int i = 0; i < 4; ++i) AddCommit(i);
  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 4}), IsOkAndHolds(0));
  EXPECT_EQ(CountPacks(), 4);
}

TEST_F(ObjectPacksTest, ManyPacksBecomeOneWithEveryObject) {
  std::vector<Oid> commits;
  for (int i = 0; i < 9; ++i) commits.push_back(AddCommit(i));
  const Repository earlier = Repository::OpenBare(path_).value();
  ASSERT_TRUE(earlier.Contains(commits[0]));

  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 6}), IsOkAndHolds(9));
  EXPECT_EQ(CountPacks(), 10) << "readers may have listed the old ones";
  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 6}), IsOkAndHolds(0)) << "they count no more";
  for (int i = 9; i < 16; ++i) commits.push_back(AddCommit(i));
  const uint64_t joins = PackJoins();
  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 6}), IsOkAndHolds(::testing::Gt(6)));
  EXPECT_GT(PackJoins(), joins);

  EXPECT_LE(CountPacks(), 10);
  ExpectSound();
  for (const Oid& commit : commits) {
    EXPECT_OK(ReadCommit(*repository_, commit));
    EXPECT_OK(ReadCommit(earlier, commit));  // A handle that knew the packs that went.
  }
}

TEST_F(ObjectPacksTest, AnObjectOfTwoPacksIsJoinedOnce) {
  const NewObject a{.oid = HashObject(ObjectType::kBlob, "a"), .bytes = "a"};
  const NewObject b{.oid = HashObject(ObjectType::kBlob, "b"), .bytes = "b"};
  const NewObject c{.oid = HashObject(ObjectType::kBlob, "c"), .bytes = "c"};
  ASSERT_OK(WritePack(objects_, {a, b}));
  ASSERT_OK(WritePack(objects_, {b, c}));
  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 1}), IsOkAndHolds(0));  // Two thirds of 1 is none.
  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 3}), IsOkAndHolds(0));
  ASSERT_OK(WritePack(objects_, {a, c}));
  ASSERT_OK(WritePack(objects_, {c}));
  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 3}), IsOkAndHolds(4));
  EXPECT_EQ(
      Git(path_, {"cat-file", "--batch-check=%(objectname)", "--batch-all-objects"}),
      absl::StrJoin(std::set<std::string>{a.oid.ToHex(), b.oid.ToHex(), c.oid.ToHex()}, "\n"));
  ExpectSound();
}

TEST_F(ObjectPacksTest, LargeAndKeptPacksAreLeftAlone) {
  for (int i = 0; i < 5; ++i) AddCommit(i);
  for (const auto& entry : std::filesystem::directory_iterator(objects_ + "/pack")) {
    if (entry.path().extension() != ".pack") continue;
    WriteFile(std::filesystem::path(entry.path()).replace_extension(".keep").string(), "");
    break;
  }
  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 2, .pack_bytes_max = 10}), IsOkAndHolds(0));
  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 2}), IsOkAndHolds(4));
  EXPECT_EQ(CountPacks(), 6);
}

TEST_F(ObjectPacksTest, ADamagedPackIsNotCopied) {
  for (int i = 0; i < 5; ++i) AddCommit(i);
  for (const auto& entry : std::filesystem::directory_iterator(objects_ + "/pack")) {
    if (entry.path().extension() != ".pack") continue;
    std::string bytes = base::ReadFile(entry.path().string()).value();
    bytes[20] ^= 1;
    std::filesystem::remove(entry.path());
    WriteFile(entry.path().string(), bytes);
    break;
  }
  EXPECT_THAT(JoinPacks(objects_, {.packs_max = 3}),
              testkit::StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(CountPacks(), 5);
}

TEST_F(ObjectPacksTest, ReadersMissNothingWhilePacksAreJoined) {
  std::vector<Oid> commits = {AddCommit(0)};
  std::atomic<int> written{1};
  std::atomic<bool> done{false};
  std::vector<Oid> all(200);
  all[0] = commits[0];
  std::atomic<int> reads{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&, r] {
      std::optional<Repository> reader = Repository::OpenBare(path_).value();
      for (int i = r; !done; ++i) {
        if (i % 7 == 0) reader = Repository::OpenBare(path_).value();
        const absl::StatusOr<Commit> read = ReadCommit(*reader, all[i % written]);
        if (!read.ok()) ADD_FAILURE() << read.status();
        ++reads;
      }
    });
  }
  for (int i = 1; i < 200; ++i) {
    all[i] = AddCommit(i);
    written = i + 1;
    EXPECT_THAT(JoinPacks(objects_, {.packs_max = 9}), IsOk());
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(reads, 0);
  EXPECT_LE(CountPacks(), 20);
  ExpectSound();
}

}  // namespace
}  // namespace slipway::git
