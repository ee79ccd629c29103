#include "agent/supervisor/snapshot_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "agent/domain/pause.h"
#include "lib/git/git_fixture.h"
#include "lib/git/repository.h"
#include "lib/git/snapshot.h"
#include "lib/testkit/fake_clock.h"

namespace slipway::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SnapshotCacheTest : public git::GitFixture {
 protected:
  struct Made {
    std::string commit;
    git::Oid oid;
    git::SnapshotFiles files;
    uint64_t bytes = 0;
  };

  // A commit whose snapshot takes a bit more than `size` bytes.
  Made Make(uint64_t size, uint64_t seed) {
    git::Random random(seed);
    std::string noise;
    for (uint64_t i = 0; i < size; ++i) noise += static_cast<char>(random.Below(256));
    WriteFile(source_ + "/noise", noise);
    Made made{.oid = CommitAll(source_, "noise")};
    made.commit = made.oid.ToHex();
    made.files = {.pack = directory_.File(made.commit + ".pack"),
                  .index = directory_.File(made.commit + ".index")};
    std::string pack;
    const git::Repository repository = git::Repository::Open(source_).value();
    EXPECT_OK(git::WriteSnapshotPack(repository, made.oid, [&](absl::string_view chunk) {
      absl::StrAppend(&pack, chunk);
      return absl::OkStatus();
    }));
    WriteFile(made.files.pack, pack);
    EXPECT_OK(git::IndexSnapshot(made.files, made.oid));
    made.bytes =
        std::filesystem::file_size(made.files.pack) + std::filesystem::file_size(made.files.index);
    return made;
  }

  SnapshotCache Open(int64_t bytes_max = 1 << 30) {
    return SnapshotCache(path_, bytes_max, clock_);
  }
  void Add(SnapshotCache& cache, const Made& made, const std::string& project = "shop") {
    clock_.Advance(absl::Seconds(1));
    cache.Add(project, made.commit, made.files);
  }
  std::string PackOf(const Made& made) const {
    return absl::StrCat(path_, "/shop/", made.commit, "/snapshot.pack");
  }
  uint64_t BytesHeld() const {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (entry.is_regular_file()) bytes += entry.file_size();
    }
    return bytes;
  }

  testkit::FakeClock clock_;
  const std::string source_ = MakeWorkRepository("source");
  const std::string path_ = directory_.File("cache");
};

TEST_F(SnapshotCacheTest, KeepsASnapshotForItsProject) {
  SnapshotCache cache = Open();
  const Made made = Make(1'000, 1);
  EXPECT_THAT(cache.Commits("shop", made.commit), IsEmpty());
  EXPECT_FALSE(cache.Find("shop", made.commit).has_value());

  Add(cache, made);

  EXPECT_THAT(Open().Commits("shop", made.commit), ElementsAre(made.commit));
  const std::optional<git::PackFile> found = Open().Find("shop", made.commit);
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->Contains(made.oid));
  EXPECT_THAT(cache.Commits("bank", made.commit), IsEmpty());
  EXPECT_FALSE(cache.Find("bank", made.commit).has_value());
}

TEST_F(SnapshotCacheTest, OnlyItsOwnerReadsIt) {
  SnapshotCache cache = Open();
  Add(cache, Make(1'000, 1));
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(SnapshotCacheTest, WhatIsDoneToTheOriginalDoesNotReachIt) {
  SnapshotCache cache = Open();
  const Made made = Make(1'000, 1);
  Add(cache, made);
  const base::UniqueFd original(open(made.files.pack.c_str(), O_WRONLY));
  ASSERT_EQ(pwrite(original.get(), "poison", 6, 100), 6);
  EXPECT_TRUE(cache.Find("shop", made.commit).has_value());
}

TEST_F(SnapshotCacheTest, TheWantedCommitComesFirstThenTheOnesUsedLast) {
  SnapshotCache cache = Open();
  std::vector<Made> made;
  for (int i = 0; i < 3; ++i) Add(cache, made.emplace_back(Make(100, i)));
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(cache.Find("shop", made[1].commit).has_value());

  EXPECT_THAT(cache.Commits("shop", std::string(40, 'a')),
              ElementsAre(made[1].commit, made[2].commit, made[0].commit));
  EXPECT_THAT(cache.Commits("shop", made[0].commit),
              ElementsAre(made[0].commit, made[1].commit, made[2].commit));
}

TEST_F(SnapshotCacheTest, NamesNoMoreCommitsThanCount) {
  SnapshotCache cache = Open();
  const Made first = Make(10, 0);
  Add(cache, first);
  for (int i = 1; i < 20; ++i) Add(cache, Make(10, i));
  const std::vector<std::string> commits = cache.Commits("shop", first.commit);
  EXPECT_EQ(commits.size(), SnapshotCache::kCommitsMax);
  EXPECT_EQ(commits.front(), first.commit);
}

TEST_F(SnapshotCacheTest, TheOneUsedLongestAgoGivesWay) {
  const Made a = Make(100'000, 1);
  const Made b = Make(100'000, 2);
  const Made c = Make(100'000, 3);
  SnapshotCache cache = Open(static_cast<int64_t>(a.bytes + b.bytes + 10));
  Add(cache, a);
  Add(cache, b, "bank");
  clock_.Advance(absl::Seconds(1));
  const std::optional<git::PackFile> held = cache.Find("shop", a.commit);
  ASSERT_TRUE(held.has_value());

  Add(cache, c);  // In the place of b, of another project.
  EXPECT_FALSE(cache.Find("bank", b.commit).has_value());
  EXPECT_TRUE(cache.Find("shop", a.commit).has_value());
  EXPECT_LE(BytesHeld(), a.bytes + b.bytes + 10);

  Add(cache, b);
  Add(cache, c);
  // What was opened before it gave way stays readable.
  EXPECT_FALSE(cache.Find("shop", a.commit).has_value());
  EXPECT_OK(held->Read(a.oid, 1 << 20).status());
}

TEST_F(SnapshotCacheTest, ASnapshotLargerThanTheCacheDisturbsNothing) {
  const Made small = Make(1'000, 1);
  const Made large = Make(50'000, 2);
  SnapshotCache cache = Open(10'000);
  Add(cache, small);
  Add(cache, large);
  EXPECT_THAT(cache.Commits("shop", large.commit), ElementsAre(small.commit));
}

TEST_F(SnapshotCacheTest, WithoutRoomItHoldsNothing) {
  SnapshotCache cache = Open(-1);
  const Made made = Make(1'000, 1);
  Add(cache, made);
  EXPECT_THAT(cache.Commits("shop", made.commit), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SnapshotCacheTest, ADamagedSnapshotIsDroppedAndCanComeAgain) {
  SnapshotCache cache = Open();
  const Made made = Make(10'000, 1);
  Add(cache, made);
  ASSERT_EQ(chmod(PackOf(made).c_str(), 0600), 0);
  {
    const base::UniqueFd pack(open(PackOf(made).c_str(), O_WRONLY));
    ASSERT_EQ(pwrite(pack.get(), "X", 1, 5'000), 1);
  }

  EXPECT_FALSE(cache.Find("shop", made.commit).has_value());
  EXPECT_THAT(cache.Commits("shop", made.commit), IsEmpty());
  Add(cache, made);
  EXPECT_TRUE(cache.Find("shop", made.commit).has_value());
}

TEST_F(SnapshotCacheTest, AHalfWrittenSnapshotIsNoSnapshot) {
  SnapshotCache cache = Open();
  const Made made = Make(10'000, 1);
  // What a process leaves that is killed before its rename, and one whose disk lost the content.
  WriteFile(path_ + "/.new/snapshot.pack", "PACK");
  WriteFile(path_ + "/.old/snapshot.pack", "PACK");
  WriteFile(absl::StrCat(path_, "/shop/", made.commit, "/snapshot.pack"), "");
  WriteFile(absl::StrCat(path_, "/shop/", made.commit, "/snapshot.index"), "");

  EXPECT_FALSE(cache.Find("shop", made.commit).has_value());
  Add(cache, made);

  EXPECT_TRUE(cache.Find("shop", made.commit).has_value());
  EXPECT_FALSE(std::filesystem::exists(path_ + "/.new"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/.old"));
}

TEST_F(SnapshotCacheTest, StrangeNamesReachNoFile) {
  SnapshotCache cache = Open();
  const Made made = Make(1'000, 1);
  Add(cache, made, "..");
  Add(cache, made, "");
  Add(cache, made, "a/b");
  EXPECT_FALSE(cache.Find("shop", "../../etc").has_value());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SnapshotCacheTest, AnUnwritablePlaceIsAnEmptyCache) {
  const Made made = Make(1'000, 1);
  WriteFile(path_, "a file where the directory would be");
  SnapshotCache cache = Open();
  Add(cache, made);
  EXPECT_THAT(cache.Commits("shop", made.commit), IsEmpty());
  EXPECT_FALSE(cache.Find("shop", made.commit).has_value());
}

TEST_F(SnapshotCacheTest, ManyAtOnceSeeWholeSnapshotsOrNone) {
  std::vector<Made> made;
  uint64_t bytes = 0;
  for (int i = 0; i < 6; ++i) bytes = made.emplace_back(Make(30'000, i)).bytes;
  // Room for half of them, so that they drive each other out.
  const auto bytes_max = static_cast<int64_t>(bytes * 3 + 100);
  std::atomic<int> found = 0;
  std::atomic<int> broken = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      SnapshotCache cache(path_, bytes_max, base::RealClock());
      for (int i = 0; i < 40; ++i) {
        const Made& one = made[static_cast<size_t>(i * (thread + 1)) % made.size()];
        const std::optional<git::PackFile> pack = cache.Find("shop", one.commit);
        if (!pack.has_value()) {
          cache.Add("shop", one.commit, one.files);
          continue;
        }
        ++found;
        if (!pack->Read(one.oid, 1 << 20).ok()) ++broken;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(broken, 0);
  EXPECT_GT(found, 0);
  EXPECT_LE(BytesHeld(), static_cast<uint64_t>(bytes_max));
}

TEST_F(SnapshotCacheTest, KilledWritersLeaveWholeSnapshotsOrNone) {
  std::vector<Made> made;
  for (int i = 0; i < 4; ++i) made.push_back(Make(200'000, i));
  const auto bytes_max = static_cast<int64_t>(made[0].bytes * 2 + 100);
  git::Random random(1);
  for (int round = 0; round < 30; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      SnapshotCache cache(path_, bytes_max, base::RealClock());
      for (int i = 0;; ++i) {
        const Made& one = made[static_cast<size_t>(i) % made.size()];
        cache.Add("shop", one.commit, one.files);
      }
    }
    Pause(base::RealClock(), absl::Microseconds(random.Below(15'000)));  // Any moment will do.
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);

    SnapshotCache cache(path_, bytes_max, base::RealClock());
    for (const std::string& commit : cache.Commits("shop", made[0].commit)) {
      EXPECT_TRUE(cache.Find("shop", commit).has_value()) << "round " << round;
    }
  }
  SnapshotCache cache(path_, bytes_max, base::RealClock());
  cache.Add("shop", made[3].commit, made[3].files);
  EXPECT_TRUE(cache.Find("shop", made[3].commit).has_value());
  EXPECT_LE(BytesHeld(), static_cast<uint64_t>(bytes_max));
}

}  // namespace
}  // namespace slipway::agent
