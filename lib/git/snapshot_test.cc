#include "lib/git/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_join.h"
#include "lib/git/git_fixture.h"
#include "lib/git/repository.h"
#include "lib/git/snapshot_files.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;

class SnapshotTest : public GitFixture {
 protected:
  void SetUp() override {
    WriteFile(source_ + "/README", "first\n");
    CommitAll(source_, "history that stays behind");
    Random random(1);
    std::string noise;
    for (int i = 0; i < 400'000; ++i) noise += static_cast<char>(random.Below(256));
    WriteFile(source_ + "/README", "second\n");
    WriteFile(source_ + "/noise", noise);
    WriteFile(source_ + "/src/empty", "");
    WriteFile(source_ + "/src/copy", "second\n");
    WriteFile(source_ + "/dos.txt", "one\ntwo\n");
    WriteFile(source_ + "/.gitattributes", "*.txt text eol=crlf\n");
    Git(source_, {"add", "-A"});
    const std::string link = Git(source_, {"hash-object", "-w", "--stdin"}, "README");
    Git(source_, {"update-index", "--add", "--cacheinfo", "120000," + link + ",link"});
    Git(source_, {"update-index", "--chmod=+x", "src/empty"});
    Git(source_, {"commit", "-q", "-m", "second"});
    head_ = GitOid(source_, {"rev-parse", "HEAD"});
    repository_ = Repository::Open(source_).value();
    ASSERT_OK(WriteSnapshotPack(*repository_, head_, [this](absl::string_view chunk) {
                chunks_.emplace_back(chunk);
                return absl::OkStatus();
              }).status());
  }

  absl::Status Receive(const std::string& directory, const std::vector<std::string>& chunks) {
    const SnapshotFiles files{.pack = directory + ".pack", .index = directory + ".index"};
    WriteFile(files.pack, absl::StrJoin(chunks, ""));
    const absl::Status indexed = IndexSnapshot(files, head_);
    if (!indexed.ok()) return indexed;
    return InstallSnapshot(files, head_, directory, WorkTree::kCheckedOut, "slipway/base");
  }

  const std::string source_ = MakeWorkRepository("source");
  const std::string target_ = directory_.File("target");
  Oid head_;
  std::optional<Repository> repository_;
  std::vector<std::string> chunks_;
};

TEST_F(SnapshotTest, ChunksAreBoundedAndHoldOnlyTheCommit) {
  ASSERT_GT(chunks_.size(), 2u);
  std::string pack;
  for (size_t i = 0; i < chunks_.size(); ++i) {
    if (i + 1 < chunks_.size()) {
      EXPECT_EQ(chunks_[i].size(), PackWriter::kChunkSize);
    }
    EXPECT_LE(chunks_[i].size(), PackWriter::kChunkSize + Oid::kSize);
    pack += chunks_[i];
  }
  const std::string bare = directory_.File("bare.git");
  Git(directory_.path(), {"init", "-q", "--bare", bare});
  Git(bare, {"index-pack", "--stdin"}, pack);
  // Commit, two trees, and each distinct blob once: README and src/copy are one.
  EXPECT_THAT(Git(bare, {"count-objects", "-v"}), ::testing::HasSubstr("in-pack: 9\n"));
}

TEST_F(SnapshotTest, ReceivedRepositoryIsCleanAndSoundForGit) {
  ASSERT_OK(Receive(target_, chunks_));

  EXPECT_EQ(Git(target_, {"status", "--porcelain"}), "");
  EXPECT_EQ(Git(target_, {"rev-parse", "--abbrev-ref", "HEAD"}), "slipway/base");
  EXPECT_EQ(Git(target_, {"rev-parse", "HEAD"}), head_.ToHex());
  EXPECT_EQ(Git(target_, {"log", "--format=%s"}), "second");
  Git(target_, {"fsck", "--strict"});
  Git(target_, {"gc", "-q"});
  EXPECT_THAT(base::ReadFile(target_ + "/dos.txt"), IsOkAndHolds("one\r\ntwo\r\n"));
  EXPECT_EQ(Git(target_, {"ls-files", "-s"}), Git(source_, {"ls-files", "-s"}));
  EXPECT_EQ(Git(target_, {"diff", "--stat", "HEAD"}), "");
  WriteFile(target_ + "/README", "third\n");
  const Oid third = CommitAll(target_, "third");
  EXPECT_EQ(Git(target_, {"rev-parse", third.ToHex() + "^"}), head_.ToHex());
}

TEST_F(SnapshotTest, DamagedOrIncompletePackIsRefused) {
  std::vector<std::string> truncated = chunks_;
  truncated.pop_back();
  EXPECT_THAT(Receive(directory_.File("truncated"), truncated), FailsWithReason("PACK_INVALID"));

  std::vector<std::string> damaged = chunks_;
  damaged[1][1'000] ^= 1;
  EXPECT_THAT(Receive(directory_.File("damaged"), damaged), FailsWithReason("PACK_INVALID"));

  EXPECT_THAT(Receive(directory_.File("text"), {"this is no pack, whatever it says"}),
              FailsWithReason("PACK_INVALID"));

  // A sound pack of another commit.
  std::vector<std::string> other;
  const Oid parent = ReadCommit(*repository_, head_)->parents[0];
  ASSERT_OK(WriteSnapshotPack(*repository_, parent, [&](absl::string_view chunk) {
              other.emplace_back(chunk);
              return absl::OkStatus();
            }).status());
  EXPECT_THAT(Receive(directory_.File("other"), other), FailsWithReason("PACK_INVALID"));
}

TEST_F(SnapshotTest, DirectoryInUseIsRefused) {
  WriteFile(target_ + "/file", "mine\n");
  EXPECT_THAT(Receive(target_, chunks_), FailsWithReason("REPOSITORY_EXISTS"));
  EXPECT_THAT(base::ReadFile(target_ + "/file"), IsOkAndHolds("mine\n"));
}

TEST_F(SnapshotTest, FailureOfTheSinkEndsTheWalk) {
  int calls = 0;
  const auto result = WriteSnapshotPack(*repository_, head_, [&](absl::string_view) {
    ++calls;
    return absl::CancelledError("the reader went");
  });
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace slipway::git
