#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "lib/git/git_fixture.h"
#include "lib/git/overlay.h"
#include "lib/git/repository.h"
#include "lib/git/snapshot.h"
#include "lib/git/snapshot_files.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::FailsWithReason;

class SnapshotDifferenceTest : public GitFixture {
 protected:
  struct Sent {
    std::optional<Oid> base;
    std::string pack;
    uint32_t objects = 0;
  };

  Sent Send(const Oid& commit, const std::vector<Oid>& cached = {}) {
    const Repository repository = Repository::Open(source_).value();
    const absl::StatusOr<Snapshot> snapshot = Snapshot::Plan(repository, commit, cached);
    EXPECT_OK(snapshot);
    if (!snapshot.ok()) return {};
    Sent sent{.base = snapshot->base()};
    const absl::StatusOr<SnapshotSize> size = snapshot->Write([&](absl::string_view chunk) {
      absl::StrAppend(&sent.pack, chunk);
      return absl::OkStatus();
    });
    EXPECT_OK(size);
    if (size.ok()) sent.objects = size->objects;
    return sent;
  }

  SnapshotFiles FilesOf(const std::string& name) const {
    return {.pack = directory_.File(name + ".pack"), .index = directory_.File(name + ".idx")};
  }

  // The complete snapshot of `commit` as files.
  SnapshotFiles Complete(const Oid& commit) {
    const SnapshotFiles files = FilesOf(commit.ToHex() + "-complete");
    WriteFile(files.pack, Send(commit).pack);
    EXPECT_OK(IndexSnapshot(files, commit));
    return files;
  }

  absl::Status Join(const SnapshotFiles& base, const std::string& pack, const Oid& commit,
                    const SnapshotFiles& files) {
    const absl::StatusOr<PackFile> opened = PackFile::Open(base.pack, base.index);
    if (!opened.ok()) return opened.status();
    WriteFile(files.pack + ".difference", pack);
    return JoinSnapshot(*opened, files.pack + ".difference", commit, files);
  }

  void ExpectSameFiles(const SnapshotFiles& a, const SnapshotFiles& b) {
    EXPECT_EQ(base::ReadFile(a.pack).value(), base::ReadFile(b.pack).value());
    EXPECT_EQ(base::ReadFile(a.index).value(), base::ReadFile(b.index).value());
  }

  static std::string Lines(Random& random, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) absl::StrAppend(&text, random.Below(1'000'000), " words\n");
    return text;
  }

  const std::string source_ = MakeWorkRepository("source");
};

// Edits, additions, removals, moves, mode changes, files that become directories and back.
void Disturb(Random& random, const std::string& root) {
  const auto name = [&] {
    return absl::StrCat(root, "/d", random.Below(4), "/e", random.Below(3), "/f", random.Below(5));
  };
  for (uint32_t i = 0; i < 3 + random.Below(6); ++i) {
    const std::string path = name();
    const std::string parent = path.substr(0, path.rfind('/'));
    switch (random.Below(6)) {
      case 0:
        remove(path.c_str());  // Which may not be there.
        break;
      case 1: {
        EXPECT_OK(base::RemoveTree(parent));
        EXPECT_OK(base::MakeDirectories(parent.substr(0, parent.rfind('/')), 0755));
        EXPECT_OK(base::WriteFileAtomic(parent, absl::StrCat("now a file ", random.Below(9))));
        break;
      }
      case 2: {
        const std::string other = name();
        rename(path.c_str(), other.c_str());
        break;
      }
      case 3:
        chmod(path.c_str(), random.Below(2) == 0 ? 0644 : 0755);
        break;
      default: {
        struct stat status;
        if (stat(parent.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) unlink(parent.c_str());
        EXPECT_OK(base::MakeDirectories(parent, 0755));
        std::string text = base::ReadFile(path).value_or("");
        for (int line = 0; line < 60; ++line) absl::StrAppend(&text, random.Below(99'999), "\n");
        EXPECT_OK(base::WriteFileAtomic(path, text, 0644));
      }
    }
  }
}

TEST_F(SnapshotDifferenceTest, JoinedSnapshotIsTheCompleteOneByteForByte) {
  for (int seed = 1; seed <= 6; ++seed) {
    Random random(seed);
    Git(source_, {"checkout", "-q", "--orphan", absl::StrCat("line-", seed)});
    std::vector<Oid> history;
    for (int i = 0; i < 7; ++i) {
      Disturb(random, source_);
      history.push_back(CommitAll(source_, absl::StrCat("step ", i)));
    }
    for (size_t to = 0; to < history.size(); ++to) {
      const size_t from = random.Below(static_cast<uint32_t>(history.size()));
      const Sent sent = Send(history[to], {history[from]});
      if (!sent.base.has_value()) {
        EXPECT_EQ(sent.pack, Send(history[to]).pack);
        continue;
      }
      const SnapshotFiles joined = FilesOf("joined");
      ASSERT_OK(Join(Complete(history[from]), sent.pack, history[to], joined))
          << "seed " << seed << " from " << from << " to " << to;
      ExpectSameFiles(joined, Complete(history[to]));
    }
  }
}

TEST_F(SnapshotDifferenceTest, OneEditCostsNoMoreThanTheEdit) {
  Random random(1);
  for (int i = 0; i < 50; ++i) WriteFile(absl::StrCat(source_, "/src/", i), Lines(random, 2'000));
  const Oid first = CommitAll(source_, "first");
  const std::string path = source_ + "/src/7";
  std::string text = base::ReadFile(path).value();
  text.insert(text.size() / 2, "one more line\n");
  WriteFile(path, text);
  const Oid second = CommitAll(source_, "second");

  const Sent sent = Send(second, {first});

  EXPECT_EQ(sent.base, first);
  EXPECT_EQ(sent.objects, 4u);  // The commit, two trees, one file.
  EXPECT_LT(sent.pack.size(), 600u);
  EXPECT_GT(Send(second).pack.size(), 100'000u);
}

TEST_F(SnapshotDifferenceTest, TheNearestKnownBaseIsChosen) {
  Random random(1);
  std::vector<Oid> history;
  for (int i = 0; i < 6; ++i) {
    WriteFile(absl::StrCat(source_, "/", i), Lines(random, 30));
    history.push_back(CommitAll(source_, absl::StrCat(i)));
  }
  const Oid unknown = Oid::Parse(std::string(40, 'a')).value();
  const Oid blob = GitOid(source_, {"rev-parse", "HEAD:0"});

  EXPECT_EQ(Send(history[4], {unknown, history[0], history[3], blob, history[1]}).base, history[3]);
  EXPECT_EQ(Send(history[4], {history[0], history[4]}).base, history[4]);
  EXPECT_EQ(Send(history[4], {history[4]}).objects, 1u);  // The commit alone.
  EXPECT_EQ(Send(history[4], {unknown, blob}).base, std::nullopt);
}

TEST_F(SnapshotDifferenceTest, ABaseWithoutCommonObjectsIsNone) {
  WriteFile(source_ + "/a", "one\n");
  const Oid first = CommitAll(source_, "first");
  EXPECT_OK(base::RemoveTree(source_ + "/a"));
  WriteFile(source_ + "/b", "two\n");
  const Oid second = CommitAll(source_, "second");

  EXPECT_EQ(Send(second, {first}).base, std::nullopt);
  EXPECT_EQ(Send(second, {first}).pack, Send(second).pack);
}

TEST_F(SnapshotDifferenceTest, ABaseOfWhichTreesWerePrunedIsPassedOver) {
  WriteFile(source_ + "/kept/a", "one\n");
  WriteFile(source_ + "/gone/b", "two\n");
  const Oid first = CommitAll(source_, "first");
  EXPECT_OK(base::RemoveTree(source_ + "/gone"));
  const Oid second = CommitAll(source_, "second");
  const std::string pruned = Git(source_, {"rev-parse", first.ToHex() + ":gone"});
  ASSERT_OK(base::RemoveTree(
      absl::StrCat(source_, "/.git/objects/", pruned.substr(0, 2), "/", pruned.substr(2))));

  EXPECT_EQ(Send(second, {first}).base, std::nullopt);
  EXPECT_EQ(Send(second, {first}).pack, Send(second).pack);
}

class DamagedSnapshotTest : public SnapshotDifferenceTest {
 protected:
  void SetUp() override {
    Random random(5);
    for (int i = 0; i < 8; ++i) WriteFile(absl::StrCat(source_, "/", i), Lines(random, 40));
    first_ = CommitAll(source_, "first");
    WriteFile(source_ + "/3", base::ReadFile(source_ + "/3").value() + "more\n");
    WriteFile(source_ + "/new", Lines(random, 20));
    second_ = CommitAll(source_, "second");
    base_ = Complete(first_);
    pack_ = Send(second_, {first_}).pack;
  }
  void Flip(const std::string& path, size_t at) {
    std::string bytes = base::ReadFile(path).value();
    bytes[at % bytes.size()] ^= 1;
    WriteFile(path, bytes);
  }

  Oid first_;
  Oid second_;
  SnapshotFiles base_;
  std::string pack_;
};

TEST_F(DamagedSnapshotTest, EveryFlippedByteOfABaseIsSeen) {
  ASSERT_OK(Join(base_, pack_, second_, FilesOf("joined")));
  for (const std::string& path : {base_.pack, base_.index}) {
    const size_t size = base::ReadFile(path)->size();
    for (size_t at = 0; at < size; at += 1 + size / 97) {
      Flip(path, at);
      EXPECT_THAT(Join(base_, pack_, second_, FilesOf("joined")), FailsWithReason("PACK_INVALID"))
          << path << " at " << at;
      Flip(path, at);
    }
    ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(size - 1)), 0);
    EXPECT_THAT(Join(base_, pack_, second_, FilesOf("joined")), FailsWithReason("PACK_INVALID"));
    ASSERT_EQ(truncate(path.c_str(), 0), 0);
    EXPECT_THAT(Join(base_, pack_, second_, FilesOf("joined")), FailsWithReason("PACK_INVALID"));
    base_ = Complete(first_);
  }
}

TEST_F(DamagedSnapshotTest, EveryFlippedByteOfADifferenceIsSeen) {
  for (size_t at = 0; at < pack_.size(); ++at) {
    std::string damaged = pack_;
    damaged[at] ^= 1;
    EXPECT_THAT(Join(base_, damaged, second_, FilesOf("joined")), FailsWithReason("PACK_INVALID"))
        << "at " << at;
  }
  EXPECT_THAT(Join(base_, pack_.substr(0, pack_.size() / 2), second_, FilesOf("joined")),
              FailsWithReason("PACK_INVALID"));
  EXPECT_THAT(Join(base_, "", second_, FilesOf("joined")), FailsWithReason("PACK_INVALID"));
}

TEST_F(DamagedSnapshotTest, ADifferenceOnAnotherBaseOrOfAnotherCommitIsRefused) {
  Git(source_, {"checkout", "-q", "--orphan", "other"});
  Git(source_, {"rm", "-rfq", "."});
  WriteFile(source_ + "/else", "else\n");
  const Oid other = CommitAll(source_, "other");

  EXPECT_THAT(Join(Complete(other), pack_, second_, FilesOf("a")), FailsWithReason("PACK_INVALID"));
  EXPECT_THAT(Join(base_, pack_, other, FilesOf("b")), FailsWithReason("PACK_INVALID"));
}

TEST_F(DamagedSnapshotTest, AnIndexCountsForItsOwnPackOnly) {
  const SnapshotFiles other = Complete(second_);

  EXPECT_THAT(IsIndexed(base_), testkit::IsOkAndHolds(true));
  EXPECT_THAT(IsIndexed({.pack = base_.pack, .index = other.index}), testkit::IsOkAndHolds(false));
  EXPECT_THAT(IsIndexed({.pack = base_.pack, .index = directory_.File("none")}),
              testkit::IsOkAndHolds(false));
  EXPECT_THAT(PackFile::Open(base_.pack, other.index).status(), FailsWithReason("PACK_INVALID"));
}

TEST_F(DamagedSnapshotTest, GitReadsTheIndexAsItsOwn) {
  const std::string copy = directory_.File("copy.pack");
  WriteFile(copy, base::ReadFile(base_.pack).value());

  Git(directory_.path(), {"index-pack", copy});

  EXPECT_EQ(base::ReadFile(directory_.File("copy.idx")).value(),
            base::ReadFile(base_.index).value());
}

}  // namespace
}  // namespace slipway::git
