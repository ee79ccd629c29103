#include "lib/git/local_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "lib/git/git_fixture.h"
#include "lib/git/overlay.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;
using ::testing::ElementsAre;
using ::testing::Optional;

constexpr char kMirrorRef[] = "refs/source/heads/main";

class LocalTransportTest : public GitFixture {
 protected:
  LocalTransportTest() : mirror_(Repository::InitBare(directory_.File("m.git"), {}).value()) {
    WriteFile(path_ + "/README", "hello\n");
    first_ = CommitAll(path_, "first");
  }

  absl::Status Fetch() {
    return FetchFromLocal(mirror_, path_, {{.source = "refs/heads/main", .target = kMirrorRef}});
  }

  // A commit of the mirror on top of `parent`.
  Oid CommitInMirror(const Oid& parent, const std::string& message) {
    Overlay overlay(mirror_);
    const Oid blob = overlay.PutBlob(message).value();
    const Oid tree =
        overlay
            .WriteTree(ReadCommit(mirror_, parent)->tree, {{"added", FileChange{kModeFile, blob}}})
            .value();
    const Oid commit = overlay
                           .PutCommit({.tree = tree,
                                       .parents = {parent},
                                       .author = Ada(),
                                       .committer = Ada(),
                                       .message = message})
                           .value();
    EXPECT_OK(overlay.Publish(mirror_));
    return commit;
  }

  const std::string path_ = MakeWorkRepository("work");
  Repository mirror_;
  Oid first_;
};

TEST_F(LocalTransportTest, FetchFollowsTheSourceAlsoBackwards) {
  const Oid second = CommitAll(path_, "second");
  ASSERT_OK(Fetch());
  EXPECT_THAT(mirror_.ReadRef(kMirrorRef), IsOkAndHolds(second));
  ASSERT_OK(Fetch());
  Git(path_, {"reset", "-q", "--hard", first_.ToHex()});
  ASSERT_OK(Fetch());
  EXPECT_THAT(mirror_.ReadRef(kMirrorRef), IsOkAndHolds(first_));
  EXPECT_THAT(mirror_.ListRefs("refs/tags/", 10), IsOkAndHolds(ElementsAre()));
}

TEST_F(LocalTransportTest, FetchNamesWhatIsMissing) {
  EXPECT_THAT(FetchFromLocal(mirror_, path_, {{"refs/heads/none", kMirrorRef}}),
              FailsWithReason("BRANCH_NOT_FOUND"));
  EXPECT_THAT(FetchFromLocal(mirror_, directory_.path(), {{"refs/heads/main", kMirrorRef}}),
              FailsWithReason("NOT_A_REPOSITORY"));
  EXPECT_THAT(FetchFromLocal(mirror_, "ext::sh -c id", {{"refs/heads/main", kMirrorRef}}),
              FailsWithReason("NOT_A_REPOSITORY"));
  EXPECT_THAT(FetchFromLocal(mirror_, path_, {{"--upload-pack=x", kMirrorRef}}),
              FailsWithReason("REF_NAME_INVALID"));
}

TEST_F(LocalTransportTest, FetchTakesAShallowSource) {
  CommitAll(path_, "second");
  const std::string shallow = directory_.File("shallow");
  Git(directory_.path(), {"clone", "-q", "--depth", "1", "file://" + path_, shallow});
  ASSERT_OK(FetchFromLocal(mirror_, shallow, {{"refs/heads/main", kMirrorRef}}));
  ASSERT_OK_AND_ASSIGN(const Repository again, Repository::OpenBare(mirror_.path()));
  ASSERT_OK_AND_ASSIGN(const auto history,
                       again.History(again.ReadRef(kMirrorRef).value(), {.limit = 10}));
  EXPECT_EQ(history.size(), 1u);
}

TEST_F(LocalTransportTest, PushCreatesAndForwardsABranchFromTheExpectedStateOnly) {
  ASSERT_OK(Fetch());
  const Oid second = CommitInMirror(first_, "second");
  const Oid third = CommitInMirror(second, "third");
  const std::string ref = "refs/heads/plan/x";
  EXPECT_THAT(PushToLocal(mirror_, path_, {.ref = ref, .expected_old = first_, .target = second}),
              FailsWithReason("REF_MOVED"));
  EXPECT_OK(PushToLocal(mirror_, path_, {.ref = ref, .target = second}));
  EXPECT_EQ(Git(path_, {"rev-parse", ref}), second.ToHex());
  EXPECT_THAT(PushToLocal(mirror_, path_, {.ref = ref, .target = third}),
              FailsWithReason("REF_EXISTS"));
  EXPECT_OK(PushToLocal(mirror_, path_, {.ref = ref, .expected_old = second, .target = third}));
  EXPECT_EQ(Git(path_, {"log", "-1", "--format=%s", ref}), "third");
  EXPECT_THAT(PushToLocal(mirror_, path_, {.ref = ref, .expected_old = third, .target = first_}),
              FailsWithReason("NOT_FAST_FORWARD"));
  EXPECT_THAT(PushToLocal(mirror_, path_, {.ref = ref, .expected_old = third, .target = Oid()}),
              FailsWithReason("OBJECT_MISSING"));
  Git(path_, {"fsck", "--strict", "--no-dangling"});
}

TEST_F(LocalTransportTest, CheckedOutBranchIsNotMoved) {
  ASSERT_OK(Fetch());
  const Oid second = CommitInMirror(first_, "second");
  const Push push = {.ref = "refs/heads/main", .expected_old = first_, .target = second};
  Git(path_, {"config", "receive.denyCurrentBranch", "updateInstead"});
  EXPECT_THAT(PushToLocal(mirror_, path_, push), FailsWithReason("BRANCH_CHECKED_OUT"));
  EXPECT_EQ(Git(path_, {"rev-parse", "main"}), first_.ToHex());

  Git(path_, {"checkout", "-q", "-b", "elsewhere"});
  Git(path_, {"worktree", "add", "-q", directory_.File("second tree"), "main"});
  EXPECT_THAT(FindWorkTreeOf(path_, "refs/heads/main"),
              IsOkAndHolds(Optional(directory_.File("second tree"))));
  EXPECT_THAT(PushToLocal(mirror_, path_, push), FailsWithReason("BRANCH_CHECKED_OUT"));

  Git(path_, {"worktree", "remove", directory_.File("second tree")});
  EXPECT_OK(PushToLocal(mirror_, path_, push));
}

TEST_F(LocalTransportTest, HooksOfTheRepositoryDoNotRun) {
  const std::string ran = directory_.File("ran");
  for (const char* hook : {"pre-receive", "update", "post-receive", "post-update",
                           "reference-transaction", "post-index-change"}) {
    const std::string file = path_ + "/.git/hooks/" + hook;
    WriteFile(file, "#!/bin/sh\ntouch " + ran + "\nexit 1\n");
    ASSERT_EQ(chmod(file.c_str(), 0755), 0);
  }
  Git(path_, {"config", "core.fsmonitor", "touch " + ran});
  ASSERT_OK(Fetch());
  const Oid second = CommitInMirror(first_, "second");
  EXPECT_OK(PushToLocal(mirror_, path_, {.ref = "refs/heads/new", .target = second}));
  EXPECT_OK(IsDirty(path_));
  EXPECT_NE(access(ran.c_str(), F_OK), 0);
}

TEST_F(LocalTransportTest, DirtyMeansChangedStagedOrUntracked) {
  EXPECT_THAT(IsDirty(path_), IsOkAndHolds(false));
  EXPECT_OK(CheckClean(path_));
  WriteFile(path_ + "/new", "x");
  EXPECT_THAT(CheckClean(path_), FailsWithReason("WORK_TREE_DIRTY"));
  WriteFile(path_ + "/.git/info/exclude", "new\n");
  EXPECT_THAT(IsDirty(path_), IsOkAndHolds(false));
  WriteFile(path_ + "/README", "changed\n");
  EXPECT_THAT(IsDirty(path_), IsOkAndHolds(true));
  Git(path_, {"add", "-A"});
  EXPECT_THAT(IsDirty(path_), IsOkAndHolds(true));
  EXPECT_THAT(IsDirty(mirror_.path()), IsOkAndHolds(false));
  EXPECT_THAT(IsDirty(directory_.path()), FailsWithReason("NOT_A_REPOSITORY"));
}

TEST_F(LocalTransportTest, HeadBranchAndRefsOfTheSource) {
  EXPECT_THAT(HeadBranch(path_), IsOkAndHolds(Optional(std::string("refs/heads/main"))));
  EXPECT_THAT(ListLocalRefs(path_, "refs/heads/", 10),
              IsOkAndHolds(ElementsAre(Ref{"refs/heads/main", first_})));
  Git(path_, {"checkout", "-q", "--detach"});
  EXPECT_THAT(HeadBranch(path_), IsOkAndHolds(std::nullopt));
}

}  // namespace
}  // namespace slipway::git
