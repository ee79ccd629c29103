#include <filesystem>
#include <vector>

#include "agent/e2e/agent_fixture.h"

namespace slipway::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Agents of one host, one after the other, with the dispatcher answering as the reviewer does.
class SnapshotTest : public AgentFixture {
 protected:
  void SetUp() override {
    AgentFixture::SetUp();
    git::Random random(1);
    for (int i = 0; i < 40; ++i) {
      std::string text;
      for (int line = 0; line < 500; ++line) absl::StrAppend(&text, random.Below(999'999), "\n");
      Put(absl::StrCat("src/", i, ".txt"), text);
    }
    first_ = CommitAll(repository_, "first");
    Put("src/7.txt", "short now\n");
    std::filesystem::remove(repository_ + "/src/8.txt");
    second_ = CommitAll(repository_, "second");
    dispatcher_.AnswerSnapshots([this](const v1::GetSnapshotRequest& request, std::string& pack) {
      return Answer(request, pack);
    });
  }

  // As the reviewer does it.
  std::string Answer(const v1::GetSnapshotRequest& request, std::string& pack) {
    pack.clear();
    std::vector<git::Oid> cached;
    for (const std::string& known : request.cached_commits()) {
      cached.push_back(git::Oid::Parse(known).value());
    }
    const git::Repository repository = git::Repository::Open(repository_).value();
    const git::Snapshot snapshot = git::Snapshot::Plan(repository, wanted_, cached).value();
    EXPECT_OK(snapshot.Write([&](absl::string_view chunk) {
      absl::StrAppend(&pack, chunk);
      return absl::OkStatus();
    }));
    return snapshot.base().has_value() ? snapshot.base()->ToHex() : "";
  }

  // One agent that runs one validator, which prints what its workspace holds.
  std::string Look(const git::Oid& commit, const std::string& more_config = "") {
    wanted_ = commit;
    dispatcher_.results.clear();
    dispatcher_.Offer(CheckGrant(commit, {{"sh", "-c", kLook}}), "");
    StartAgent(more_config);
    EXPECT_TRUE(dispatcher_.AwaitResult());
    EXPECT_EQ(AwaitExit(), 0);
    if (dispatcher_.results.empty()) return "no result";
    const v1::SubmitResultRequest& result = dispatcher_.results.front();
    EXPECT_TRUE(result.has_evidence()) << result.ShortDebugString();
    if (result.evidence().outcomes_size() != 1) return "no outcome";
    EXPECT_EQ(result.evidence().outcomes(0).exit_code(), 0);
    return result.evidence().outcomes(0).output_tail();
  }

  const FakeDispatcher::SnapshotAnswer& LastAnswer() const {
    return dispatcher_.snapshot_answers.back();
  }
  std::vector<std::string> Offered() const {
    const auto& cached = LastAnswer().request.cached_commits();
    return {cached.begin(), cached.end()};
  }
  std::string CacheDirectory() const { return directory_.File("w/.snapshots"); }
  std::string PackOf(const git::Oid& commit) const {
    return absl::StrCat(CacheDirectory(), "/p/", commit.ToHex(), "/snapshot.pack");
  }

  // The files, and git's own objects to the last byte.
  static constexpr char kLook[] =
      "export HOME=/tmp; git config --global safe.directory '*'; git rev-parse 'HEAD^{tree}' && "
      "git status --porcelain && git fsck --strict && (ls .git/objects/pack && cat "
      ".git/objects/pack/* .git/shallow src/* && ls -R src) | sha256sum";

  git::Oid first_;
  git::Oid second_;
  git::Oid wanted_;
};

TEST_F(SnapshotTest, TheSecondTaskOfAHostFetchesTheDifference) {
  Look(first_);
  EXPECT_EQ(LastAnswer().base_commit, "");
  EXPECT_THAT(Offered(), IsEmpty());
  const size_t complete = LastAnswer().bytes;
  const std::string expected = Look(second_, "snapshot_cache_bytes: -1\n");
  EXPECT_THAT(Offered(), IsEmpty());

  const std::string joined = Look(second_);

  EXPECT_EQ(LastAnswer().base_commit, first_.ToHex());
  EXPECT_LT(LastAnswer().bytes * 20, complete);
  EXPECT_EQ(joined, expected);
  EXPECT_THAT(joined, HasSubstr(Git(repository_, {"rev-parse", second_.ToHex() + "^{tree}"})));
}

TEST_F(SnapshotTest, TheSameCommitAgainCostsItsCommitAlone) {
  const std::string expected = Look(second_);
  EXPECT_EQ(Look(second_), expected);
  EXPECT_EQ(LastAnswer().base_commit, second_.ToHex());
  EXPECT_LT(LastAnswer().bytes, 400u);
}

TEST_F(SnapshotTest, ADamagedBaseLeadsToTheCompleteSnapshot) {
  const std::string expected = Look(second_, "snapshot_cache_bytes: -1\n");
  Look(first_);
  std::string bytes = base::ReadFile(PackOf(first_)).value();
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_OK(base::WriteFileAtomic(PackOf(first_), bytes));

  EXPECT_EQ(Look(second_), expected);

  EXPECT_THAT(Offered(), IsEmpty());
  EXPECT_EQ(LastAnswer().base_commit, "");
  EXPECT_THAT(AgentLog(), HasSubstr("a cached snapshot is damaged"));
  EXPECT_FALSE(std::filesystem::exists(PackOf(first_)));
  EXPECT_TRUE(std::filesystem::exists(PackOf(second_)));
}

TEST_F(SnapshotTest, ADifferenceThatDoesNotFitLeadsToTheCompleteSnapshot) {
  const std::string expected = Look(second_, "snapshot_cache_bytes: -1\n");
  Look(first_);
  dispatcher_.AnswerSnapshots([this](const v1::GetSnapshotRequest& request, std::string& pack) {
    const std::string base = Answer(request, pack);
    if (!base.empty()) pack[pack.size() / 2] ^= 1;
    return base;
  });
  EXPECT_EQ(Look(second_), expected);
  EXPECT_THAT(Offered(), IsEmpty());

  // A base that nobody offered.
  std::filesystem::remove_all(CacheDirectory());
  Look(first_);
  dispatcher_.AnswerSnapshots([this](const v1::GetSnapshotRequest& request, std::string& pack) {
    const std::string base = Answer(request, pack);
    return base.empty() ? base : std::string(40, 'a');
  });
  EXPECT_EQ(Look(second_), expected);
}

TEST_F(SnapshotTest, ABaseThatTheMirrorLostIsPassedOver) {
  const std::string expected = Look(second_, "snapshot_cache_bytes: -1\n");
  Look(first_);
  // The reviewer knows none of what it is told.
  dispatcher_.AnswerSnapshots([this](const v1::GetSnapshotRequest& request, std::string& pack) {
    v1::GetSnapshotRequest unknown = request;
    for (std::string& commit : *unknown.mutable_cached_commits()) commit = std::string(40, 'b');
    return Answer(unknown, pack);
  });
  EXPECT_EQ(Look(second_), expected);
  EXPECT_THAT(Offered(), ElementsAre(first_.ToHex()));
  EXPECT_EQ(LastAnswer().base_commit, "");
}

TEST_F(SnapshotTest, TheCacheStaysWithinItsBytes) {
  Look(first_);
  const uint64_t one = std::filesystem::file_size(PackOf(first_));
  Look(second_, absl::StrCat("snapshot_cache_bytes: ", one * 3 / 2, "\n"));
  EXPECT_FALSE(std::filesystem::exists(PackOf(first_)));
  EXPECT_TRUE(std::filesystem::exists(PackOf(second_)));
  EXPECT_THAT(AgentLog(), HasSubstr("a cached snapshot gave way"));
}

TEST_F(SnapshotTest, AnotherProjectHasACacheOfItsOwn) {
  Look(first_);
  wanted_ = second_;
  dispatcher_.results.clear();
  v1::Grant grant = CheckGrant(second_, {{"cat", "src/7.txt"}});
  grant.set_attempt("projects/bank/plans/n/tasks/t/attempts/1");
  dispatcher_.Offer(grant, "");
  StartAgent();
  ASSERT_TRUE(dispatcher_.AwaitResult());
  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_THAT(Offered(), IsEmpty());
}

// What runs in a sandbox cannot so much as name the cache; what it does to its own objects stays
// its own.
TEST_F(SnapshotTest, WhatRunsInsideReachesNoCache) {
  const std::string expected = Look(second_, "snapshot_cache_bytes: -1\n");
  wanted_ = first_;
  dispatcher_.results.clear();
  const std::string poison = absl::StrCat(
      "chmod -R u+w .git/objects; for f in .git/objects/pack/*; do echo poison > $f; done; "
      "ls -a ",
      CacheDirectory(), " ", directory_.File("w"), "; find / -xdev -name .snapshots; ",
      "find / -xdev -name snapshot.pack; echo done");
  dispatcher_.Offer(CheckGrant(first_, {{"sh", "-c", poison}}), "");
  StartAgent();
  ASSERT_TRUE(dispatcher_.AwaitResult());
  EXPECT_EQ(AwaitExit(), 0);
  const std::string seen = dispatcher_.results.front().evidence().outcomes(0).output_tail();
  EXPECT_THAT(seen, HasSubstr("done"));
  EXPECT_THAT(seen, Not(HasSubstr("/snapshot.pack")));
  EXPECT_THAT(seen, HasSubstr("No such file"));

  EXPECT_EQ(Look(second_), expected);
  EXPECT_EQ(LastAnswer().base_commit, first_.ToHex());
}

TEST_F(SnapshotTest, TwoAgentsAtOnceShareTheCache) {
  wanted_ = second_;
  FakeDispatcher other;
  const std::string other_address = "unix:" + directory_.File("other.sock");
  other.Start(other_address);
  other.AnswerSnapshots([this](const v1::GetSnapshotRequest& request, std::string& pack) {
    return Answer(request, pack);
  });
  const v1::Grant grant = CheckGrant(second_, {{"sh", "-c", kLook}});
  for (int round = 0; round < 3; ++round) {
    dispatcher_.results.clear();
    other.results.clear();
    dispatcher_.Offer(grant, "");
    other.Offer(grant, "");
    StartAgent();
    base::Process first = *std::move(agent_);
    ASSERT_OK_AND_ASSIGN(std::string config, base::ReadFile(directory_.File("agent.yaml")));
    const std::string second_config = directory_.File("other.yaml");
    ASSERT_OK(base::WriteFileAtomic(second_config,
                                    absl::StrCat("dispatcher_address: ", other_address, "\n",
                                                 config.substr(config.find('\n') + 1))));
    ASSERT_OK_AND_ASSIGN(
        base::Process second,
        base::Process::Spawn({.argv = {SLIPWAY_AGENT_PROGRAM, "--config", second_config},
                              .env = {{"SLIPWAY_AGENT_ID", "agent-2"},
                                      {"SLIPWAY_AGENT_HOST", "hosts/local"},
                                      {"SLIPWAY_AGENT_TOKEN", FakeDispatcher::kToken}},
                              .inherit_env = true}));
    ASSERT_TRUE(dispatcher_.AwaitResult());
    ASSERT_TRUE(other.AwaitResult());
    ASSERT_TRUE(first.Wait(FakeDispatcher::kPatience).ok());
    ASSERT_TRUE(second.Wait(FakeDispatcher::kPatience).ok());
    agent_.reset();
    ASSERT_TRUE(other.results[0].has_evidence()) << other.results[0].ShortDebugString();
    EXPECT_EQ(other.results[0].evidence().outcomes(0).output_tail(),
              dispatcher_.results[0].evidence().outcomes(0).output_tail());
    EXPECT_EQ(other.results[0].evidence().outcomes(0).exit_code(), 0);
  }
  EXPECT_EQ(other.snapshot_answers.back().base_commit, second_.ToHex());
  EXPECT_EQ(LastAnswer().base_commit, second_.ToHex());
}

}  // namespace
}  // namespace slipway::agent
