#include "lib/git/local_seed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "lib/git/git_fixture.h"
#include "lib/git/local_transport.h"
#include "lib/git/mapped_file.h"
#include "lib/git/pack_index.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Ne;
using ::testing::Not;

class LocalSeedTest : public GitFixture {
 protected:
  void SetUp() override {
    Random random(1);
    for (int i = 0; i < 30; ++i) {
      WriteFile(absl::StrCat(source_, "/d", i % 5, "/", i),
                absl::StrCat(random.Below(9'999), "\n"));
      CommitAll(source_, absl::StrCat("packed ", i));
    }
    Git(source_, {"repack", "-adq"});
    WriteFile(source_ + "/new", "loose\n");
    tip_ = CommitAll(source_, "loose");
    mirror_.emplace(Repository::InitBare(mirror_path_, {}).value());
  }

  absl::Status Fetch() {
    return FetchFromLocal(*mirror_, source_,
                          {{.source = "refs/heads/main", .target = "refs/source/main"}});
  }
  // Files below the mirror's object store.
  std::vector<std::string> ObjectFiles() const {
    std::vector<std::string> files;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(mirror_path_ + "/objects")) {
      if (entry.is_regular_file()) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  std::string SourcePack(const std::string& extension) const {
    for (const auto& entry : std::filesystem::directory_iterator(source_ + "/.git/objects/pack")) {
      if (entry.path().extension() == extension) return entry.path().string();
    }
    return "";
  }
  void Overwrite(const std::string& path, const std::string& bytes) {
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  const std::string source_ = MakeWorkRepository("source");
  const std::string mirror_path_ = directory_.File("mirror.git");
  std::optional<Repository> mirror_;
  Oid tip_;
};

TEST_F(LocalSeedTest, AFetchFindsEverythingInPlace) {
  ASSERT_OK(SeedFromLocal(*mirror_, source_, tip_));
  const std::vector<std::string> seeded = ObjectFiles();
  EXPECT_THAT(seeded, Not(IsEmpty()));

  ASSERT_OK(Fetch());

  EXPECT_EQ(ObjectFiles(), seeded);
  EXPECT_EQ(Git(mirror_path_, {"rev-parse", "refs/source/main"}), tip_.ToHex());
  Git(mirror_path_, {"fsck", "--strict", "--full"});
  EXPECT_EQ(Git(mirror_path_, {"log", "--format=%T", "refs/source/main"}),
            Git(source_, {"log", "--format=%T"}));
}

TEST_F(LocalSeedTest, TheMirrorSurvivesItsSource) {
  ASSERT_OK(SeedFromLocal(*mirror_, source_, tip_));
  ASSERT_OK(Fetch());
  const std::string pack = SourcePack(".pack");
  Overwrite(pack, std::string(std::filesystem::file_size(pack), 'x'));
  ASSERT_OK(base::RemoveTree(source_));
  Git(mirror_path_, {"fsck", "--strict", "--full"});
}

TEST_F(LocalSeedTest, LaterFetchesBringTheRest) {
  ASSERT_OK(SeedFromLocal(*mirror_, source_, tip_));
  ASSERT_OK(Fetch());
  WriteFile(source_ + "/later", "later\n");
  const Oid later = CommitAll(source_, "later");
  ASSERT_OK(Fetch());
  EXPECT_EQ(GitOid(mirror_path_, {"rev-parse", "refs/source/main"}), later);
  Git(mirror_path_, {"fsck", "--strict", "--full"});
}

TEST_F(LocalSeedTest, AWorkTreeBesideTheRepositoryLeadsToItsObjects) {
  const std::string beside = directory_.File("beside");
  Git(source_, {"worktree", "add", "-q", beside, "HEAD~1", "-b", "beside"});
  ASSERT_OK(SeedFromLocal(*mirror_, beside, tip_));
  ASSERT_OK(Fetch());
}

TEST_F(LocalSeedTest, DamagedPacksLeaveTheMirrorAsItWas) {
  const std::vector<std::string> before = ObjectFiles();
  for (const char* extension : {".pack", ".idx"}) {
    const std::string path = SourcePack(extension);
    const std::string sound = base::ReadFile(path).value();
    std::string damaged = sound;
    damaged[damaged.size() / 2] ^= 1;
    Overwrite(path, damaged);
    EXPECT_THAT(SeedFromLocal(*mirror_, source_, tip_), FailsWithReason("PACK_INVALID"))
        << extension;
    EXPECT_EQ(ObjectFiles(), before);
    Overwrite(path, sound);
  }
  EXPECT_OK(SeedFromLocal(*mirror_, source_, tip_));
}

// Sound by its checksums, but objects are not where it says.
TEST_F(LocalSeedTest, AnIndexThatLiesIsSeen) {
  std::string lying;
  {
    const MappedFile file = MappedFile::Open(SourcePack(".idx")).value();
    const PackIndex index = PackIndex::Read(file.bytes()).value();
    std::vector<PackPlace> places;
    for (size_t rank = 0; rank < index.size(); ++rank) {
      places.push_back({.oid = index.OidAt(rank),
                        .offset = index.OffsetAt(rank).value(),
                        .crc = index.CrcAt(rank)});
    }
    const Oid a = GitOid(source_, {"rev-parse", "HEAD:d1/1"});
    const Oid b = GitOid(source_, {"rev-parse", "HEAD:d2/2"});
    const auto place = [&](const Oid& oid) {
      return std::find_if(places.begin(), places.end(),
                          [&](const PackPlace& one) { return one.oid == oid; });
    };
    std::swap(place(a)->offset, place(b)->offset);
    lying = EncodePackIndex(places, index.pack_checksum());
  }
  Overwrite(SourcePack(".idx"), lying);
  const std::vector<std::string> before = ObjectFiles();

  EXPECT_THAT(SeedFromLocal(*mirror_, source_, tip_).code(), Ne(absl::StatusCode::kOk));
  EXPECT_EQ(ObjectFiles(), before);
}

TEST_F(LocalSeedTest, WhatFsckFindsInTheTipIsRefused) {
  const std::string blob = Git(source_, {"hash-object", "-w", "--stdin"}, "x");
  const std::string tree = Git(source_, {"mktree"}, absl::StrCat("100644 blob ", blob, "\t.GIT\n"));
  tip_ = GitOid(source_, {"commit-tree", tree, "-p", tip_.ToHex(), "-m", "evil"});
  Git(source_, {"update-ref", "refs/heads/main", tip_.ToHex()});
  const std::vector<std::string> before = ObjectFiles();

  const absl::Status status = SeedFromLocal(*mirror_, source_, tip_);

  EXPECT_THAT(status, FailsWithReason("GIT_COMMAND_FAILED"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("hasDotgit"));
  EXPECT_EQ(ObjectFiles(), before);
  EXPECT_THAT(Fetch(), FailsWithReason("GIT_COMMAND_FAILED"));
}

TEST_F(LocalSeedTest, WhatAKilledSeedingLeftIsCheckedAgain) {
  ASSERT_OK(SeedFromLocal(*mirror_, source_, tip_));
  WriteFile(mirror_path_ + "/objects/pack/tmp_pack_seed", "half");
  ASSERT_OK(SeedFromLocal(*mirror_, source_, tip_));
  // With a tip that does not pass nothing of it stays.
  EXPECT_THAT(SeedFromLocal(*mirror_, source_, Oid::Parse(std::string(40, 'a')).value()),
              FailsWithReason("OBJECT_MISSING"));
  EXPECT_THAT(ObjectFiles(), IsEmpty());
}

TEST_F(LocalSeedTest, WhatIsNoFileIsNotRead) {
  const std::string odd = absl::StrCat(source_, "/.git/objects/aa/", std::string(38, 'b'));
  ASSERT_OK(base::MakeDirectories(odd.substr(0, odd.rfind('/')), 0755));
  ASSERT_EQ(mkfifo(odd.c_str(), 0644), 0);
  std::filesystem::create_symlink("/dev/zero", source_ + "/.git/objects/pack/pack-odd.pack");

  ASSERT_OK(SeedFromLocal(*mirror_, source_, tip_));

  EXPECT_OK(Fetch());
}

TEST_F(LocalSeedTest, AMirrorInUseIsLeftAlone) {
  ASSERT_OK(Fetch());
  const std::vector<std::string> before = ObjectFiles();
  EXPECT_THAT(SeedFromLocal(*mirror_, source_, tip_).code(),
              Eq(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(ObjectFiles(), before);
}

TEST_F(LocalSeedTest, ARepositoryWithoutAllOfItsObjectsIsNotCopied) {
  const std::string shallow = directory_.File("shallow");
  Git(directory_.path(), {"clone", "-q", "--depth=1", "file://" + source_, shallow});
  EXPECT_THAT(SeedFromLocal(*mirror_, shallow, tip_).code(),
              Eq(absl::StatusCode::kFailedPrecondition));
  const std::string shared = directory_.File("shared");
  Git(directory_.path(), {"clone", "-q", "--shared", source_, shared});
  EXPECT_THAT(SeedFromLocal(*mirror_, shared, tip_).code(),
              Eq(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace slipway::git
