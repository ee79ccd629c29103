#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/git/snapshot_files.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/status.h"
#include "services/reviewer/testing/review_fixture.h"

namespace slipway::reviewer {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using testkit::FailsWithReason;

class RepositoryTest : public ReviewFixture {
 protected:
  absl::StatusOr<repository::v1::CheckRepositoryResponse> Check(const std::string& location,
                                                                const std::string& branch = "main",
                                                                bool clean = false) {
    repository::v1::CheckRepositoryRequest request;
    request.set_location(location);
    request.set_branch(branch);
    request.set_require_clean(clean);
    return rpc::CallUnary(*repository_, &RepositoryStub::CheckRepository, request, Patiently());
  }

  absl::StatusOr<repository::v1::ReadFileResponse> Read(const std::string& path,
                                                        const std::string& commit) {
    repository::v1::ReadFileRequest request;
    request.set_project("projects/shop");
    request.set_commit(commit);
    request.set_path(path);
    return rpc::CallUnary(*repository_, &RepositoryStub::ReadFile, request, Patiently());
  }
};

TEST_F(RepositoryTest, CheckSeesBranchAndWorkTree) {
  ASSERT_OK_AND_ASSIGN(const auto clean, Check(source_, "main", true));
  EXPECT_EQ(clean.commit(), source_head());
  EXPECT_FALSE(clean.dirty());
  EXPECT_TRUE(clean.checked_out());
  WriteFile(source_ + "/new.txt", "x\n");
  EXPECT_THAT(Check(source_, "main", true), FailsWithReason("REPOSITORY_DIRTY"));
  ASSERT_OK_AND_ASSIGN(const auto dirty, Check(source_));
  EXPECT_TRUE(dirty.dirty());
}

TEST_F(RepositoryTest, UnusableRepositoriesAreNamed) {
  EXPECT_THAT(Check(source_, "absent"), FailsWithReason("BRANCH_MISSING"));
  EXPECT_THAT(Check(source_, "a..b"), FailsWithReason("BRANCH_INVALID"));
  EXPECT_THAT(Check(MakeWorkRepository("empty")), FailsWithReason("REPOSITORY_EMPTY"));
  EXPECT_THAT(Check(directory_.File("none")), FailsWithReason("NOT_A_REPOSITORY"));
  EXPECT_THAT(Check("source"), FailsWithReason("LOCATION_INVALID"));
  EXPECT_THAT(Check("/etc"), FailsWithReason("LOCATION_INVALID"));
  EXPECT_THAT(Check(directory_.path() + "/../../etc"), FailsWithReason("LOCATION_INVALID"));
  EXPECT_THAT(Check("https://example.com/x.git"), FailsWithReason("REPOSITORY_UNREACHABLE"));
  EXPECT_THAT(Check("git@example.com:x.git"), FailsWithReason("REPOSITORY_UNREACHABLE"));
}

TEST_F(RepositoryTest, OpenPlanIsIdempotentAndHoldsItsBase) {
  ASSERT_OK_AND_ASSIGN(const auto first, OpenPlan());
  WriteFile(source_ + "/later.txt", "x\n");
  CommitAll(source_, "later");
  ASSERT_OK_AND_ASSIGN(const auto again, OpenPlan());
  EXPECT_EQ(again.base_commit(), first.base_commit());
  EXPECT_EQ(plan_tip(), first.base_commit());
  ASSERT_OK_AND_ASSIGN(const auto stricter, OpenPlan(WithValidator()));
  EXPECT_EQ(stricter.base_commit(), first.base_commit());
}

TEST_F(RepositoryTest, ValidatorOutsideTheAllowListIsRefused) {
  common::v1::ProjectPolicy policy = WithValidator();
  policy.mutable_validators(0)->set_command(0, "curl");
  const auto opened = OpenPlan(policy);
  EXPECT_THAT(opened, FailsWithReason("VALIDATOR_NOT_ALLOWED"));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("make"));
  repository::v1::CheckRepositoryRequest request;
  request.set_location(source_);
  request.set_branch("main");
  *request.mutable_policy() = policy;
  EXPECT_THAT(rpc::CallUnary(*repository_, &RepositoryStub::CheckRepository, request, Patiently()),
              FailsWithReason("VALIDATOR_NOT_ALLOWED"));
  *request.mutable_policy() = WithValidator();
  EXPECT_OK(rpc::CallUnary(*repository_, &RepositoryStub::CheckRepository, request, Patiently()));
}

TEST_F(RepositoryTest, FilesAreListedInPagesAndRead) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  repository::v1::ListFilesRequest request;
  request.set_project("projects/shop");
  request.set_commit(plan.base_commit());
  request.set_page_size(2);
  ASSERT_OK_AND_ASSIGN(auto page,
                       rpc::CallUnary(*repository_, &RepositoryStub::ListFiles, request));
  ASSERT_THAT(page.files(), SizeIs(2));
  EXPECT_EQ(page.files(0).path(), "README.md");
  EXPECT_EQ(page.files(0).size(), 7);
  request.set_page_token(page.next_page_token());
  ASSERT_OK_AND_ASSIGN(page, rpc::CallUnary(*repository_, &RepositoryStub::ListFiles, request));
  ASSERT_THAT(page.files(), SizeIs(1));
  EXPECT_EQ(page.files(0).path(), "src/util.py");
  EXPECT_EQ(page.next_page_token(), "");

  ASSERT_OK_AND_ASSIGN(const auto file, Read("README.md", plan.base_commit()));
  EXPECT_EQ(file.content(), "# Shop\n");
  EXPECT_THAT(Read("absent", plan.base_commit()), FailsWithReason("FILE_UNKNOWN"));
  EXPECT_THAT(Read("src", plan.base_commit()), FailsWithReason("FILE_UNKNOWN"));
  EXPECT_THAT(Read("/README.md", plan.base_commit()), FailsWithReason("PATH_INVALID"));
  EXPECT_THAT(Read("README.md", "main"), FailsWithReason("OID_INVALID"));
  EXPECT_THAT(Read("README.md", std::string(40, 'd')), FailsWithReason("COMMIT_UNKNOWN"));
}

// A project may decide otherwise between a plan's draft and its start.
TEST_F(RepositoryTest, ThePolicyCanChangeUntilAChangeIsInspected) {
  const auto add = [](const std::string& work) { WriteFile(work + "/src/new.py", "new\n"); };
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  ASSERT_OK(OpenPlan(WithValidator()));
  Submit("first", 1, plan.base_commit(), add);
  ASSERT_OK_AND_ASSIGN(const auto built, Build(Attempt("first", 1)));
  EXPECT_NE(built.candidate().validator_digest(), "");  // What was decided last counts.
  EXPECT_OK(OpenPlan(WithValidator()));

  EXPECT_THAT(OpenPlan(), FailsWithReason("PLAN_OPEN"));
}

TEST_F(RepositoryTest, ARefusedChangeSettlesThePolicy) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  ASSERT_OK_AND_ASSIGN(const auto refused,
                       Inspect(InspectionOf("first", 1, plan.base_commit(), "no patch")));
  EXPECT_TRUE(refused.has_refused());
  EXPECT_THAT(OpenPlan(WithValidator()), FailsWithReason("PLAN_OPEN"));
}

TEST_F(RepositoryTest, ABranchThatMovedSettlesThePolicy) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  const std::string moved = Git(mirror(), {"commit-tree", plan.base_commit() + "^{tree}", "-p",
                                           plan.base_commit(), "-m", "by hand"});
  Git(mirror(), {"update-ref", "refs/heads/plan/2026-11-21-csv", moved});
  EXPECT_THAT(OpenPlan(WithValidator()), FailsWithReason("PLAN_OPEN"));
}

TEST_F(RepositoryTest, SnapshotChecksOutAsTheCommit) {
  std::string large;
  git::Random random(1);
  for (int i = 0; i < 400'000; ++i) large += static_cast<char>(random.Below(256));
  for (int i = 0; i < 10; ++i)
    WriteFile(absl::StrCat(source_, "/bin/", i), large + std::to_string(i));
  CommitAll(source_, "large");
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  repository::v1::GetSnapshotRequest request;
  request.set_project("projects/shop");
  request.set_commit(plan.base_commit());
  grpc::ClientContext context;
  const auto stream = repository_->GetSnapshot(&context, request);
  ASSERT_OK_AND_ASSIGN(const git::Oid commit, git::Oid::Parse(plan.base_commit()));
  repository::v1::GetSnapshotResponse response;
  std::string pack;
  int chunks = 0;
  while (stream->Read(&response)) {
    ++chunks;
    EXPECT_LE(response.chunk().size(), 256u << 10);
    pack += response.chunk();
  }
  ASSERT_TRUE(stream->Finish().ok());
  const git::SnapshotFiles files{.pack = directory_.File("pack"), .index = directory_.File("idx")};
  WriteFile(files.pack, pack);
  ASSERT_OK(git::IndexSnapshot(files, commit));
  ASSERT_OK(
      git::InstallSnapshot(files, commit, directory_.File("work"), git::WorkTree::kCheckedOut));
  EXPECT_GT(chunks, 2);
  EXPECT_EQ(Git(directory_.File("work"), {"status", "--porcelain"}), "");
  EXPECT_EQ(TreeOf(directory_.File("work"), "HEAD"), TreeOf(source_, "main"));
}

// A snapshot as its pieces come.
struct Fetched {
  grpc::Status status;
  std::string base_commit;
  std::string pack;
  int pieces_with_base = 0;
};

class SnapshotDifferenceTest : public RepositoryTest {
 protected:
  void SetUp() override {
    RepositoryTest::SetUp();
    git::Random random(1);
    for (int i = 0; i < 20; ++i) {
      std::string text;
      for (int line = 0; line < 2'000; ++line) absl::StrAppend(&text, random.Below(999'999), "\n");
      WriteFile(absl::StrCat(source_, "/src/", i), text);
    }
    first_ = CommitAll(source_, "first").ToHex();
    WriteFile(source_ + "/src/7", "short\n");
    second_ = CommitAll(source_, "second").ToHex();
    ASSERT_OK(OpenPlan().status());
  }

  Fetched Fetch(const std::string& commit, const std::vector<std::string>& cached = {}) {
    repository::v1::GetSnapshotRequest request;
    request.set_project("projects/shop");
    request.set_commit(commit);
    for (const std::string& known : cached) request.add_cached_commits(known);
    grpc::ClientContext context;
    const auto stream = repository_->GetSnapshot(&context, request);
    repository::v1::GetSnapshotResponse response;
    Fetched fetched;
    while (stream->Read(&response)) {
      if (fetched.pack.empty()) fetched.base_commit = response.base_commit();
      fetched.pieces_with_base += response.base_commit().empty() ? 0 : 1;
      fetched.pack += response.chunk();
    }
    fetched.status = stream->Finish();
    return fetched;
  }

  std::string first_;
  std::string second_;
};

TEST_F(SnapshotDifferenceTest, OnlyWhatTheReceiverLacksIsSent) {
  const Fetched complete = Fetch(second_);
  const Fetched difference = Fetch(second_, {first_});

  ASSERT_TRUE(difference.status.ok()) << difference.status.error_message();
  EXPECT_EQ(complete.base_commit, "");
  EXPECT_EQ(difference.base_commit, first_);
  EXPECT_LT(difference.pack.size() * 100, complete.pack.size());

  // Both give the very same files.
  const git::SnapshotFiles base{.pack = directory_.File("b.pack"), .index = directory_.File("b.i")};
  const git::SnapshotFiles all{.pack = directory_.File("a.pack"), .index = directory_.File("a.i")};
  const git::SnapshotFiles made{.pack = directory_.File("m.pack"), .index = directory_.File("m.i")};
  WriteFile(base.pack, Fetch(first_).pack);
  WriteFile(all.pack, complete.pack);
  WriteFile(directory_.File("difference"), difference.pack);
  ASSERT_OK(git::IndexSnapshot(base, git::Oid::Parse(first_).value()));
  ASSERT_OK(git::IndexSnapshot(all, git::Oid::Parse(second_).value()));
  ASSERT_OK_AND_ASSIGN(const git::PackFile known, git::PackFile::Open(base.pack, base.index));
  ASSERT_OK(git::JoinSnapshot(known, directory_.File("difference"),
                              git::Oid::Parse(second_).value(), made));
  EXPECT_EQ(base::ReadFile(made.pack).value(), complete.pack);
  EXPECT_EQ(base::ReadFile(made.index).value(), base::ReadFile(all.index).value());
}

TEST_F(SnapshotDifferenceTest, TheBaseIsNamedOnceAndWhatIsUnknownIsPassedOver) {
  // A complete one in many pieces after a base, so that the first piece can be told from the rest.
  const std::string unknown(40, 'a');
  const Fetched backwards = Fetch(first_, {unknown, second_, unknown});
  EXPECT_EQ(backwards.base_commit, second_);
  EXPECT_EQ(backwards.pieces_with_base, 1);
  const Fetched complete = Fetch(second_, {unknown});
  EXPECT_EQ(complete.base_commit, "");
  EXPECT_EQ(complete.pack, Fetch(second_).pack);
}

TEST_F(SnapshotDifferenceTest, OnlySixteenCountAndEachMustBeAnId) {
  std::vector<std::string> cached(16, std::string(40, 'a'));
  cached.push_back(first_);
  EXPECT_EQ(Fetch(second_, cached).base_commit, "");
  cached.front() = first_;
  EXPECT_EQ(Fetch(second_, cached).base_commit, first_);
  EXPECT_THAT(rpc::FromGrpcStatus(Fetch(second_, {"main"}).status), FailsWithReason("OID_INVALID"));
}

TEST_F(SnapshotDifferenceTest, BytesAreCountedByKind) {
  const auto count = [](const std::string& series) {
    const std::string text = metrics::Render();
    const size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? 0 : std::stoll(text.substr(at + series.size() + 2));
  };
  const std::string complete = "slipway_reviewer_snapshot_bytes_total{kind=\"complete\"}";
  const std::string incremental = "slipway_reviewer_snapshot_bytes_total{kind=\"incremental\"}";
  const int64_t complete_before = count(complete);
  const int64_t incremental_before = count(incremental);

  const size_t all = Fetch(second_).pack.size();
  const size_t few = Fetch(second_, {first_}).pack.size();

  EXPECT_EQ(count(complete) - complete_before, static_cast<int64_t>(all));
  EXPECT_EQ(count(incremental) - incremental_before, static_cast<int64_t>(few));
}

TEST_F(RepositoryTest, AbandonedSnapshotEnds) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  repository::v1::GetSnapshotRequest request;
  request.set_project("projects/shop");
  request.set_commit(plan.base_commit());
  grpc::ClientContext context;
  const auto stream = repository_->GetSnapshot(&context, request);
  context.TryCancel();
  repository::v1::GetSnapshotResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_FALSE(stream->Finish().ok());
  server_->Stop();
}

TEST_F(RepositoryTest, DiffsAndCommitsShowWhatLanded) {
  ASSERT_OK_AND_ASSIGN(const auto plan, OpenPlan());
  Submit("import", 1, plan.base_commit(),
         [](const std::string& work) { WriteFile(work + "/a.txt", "hello\n"); });
  const v1::Candidate candidate = Land(Attempt("import", 1));
  for (const std::string& name :
       {std::string(kPlan), std::string(kPlan) + "/tasks/import", Attempt("import", 1)}) {
    repository::v1::GetDiffRequest request;
    request.set_name(name);
    ASSERT_OK_AND_ASSIGN(const auto diff,
                         rpc::CallUnary(*repository_, &RepositoryStub::GetDiff, request));
    EXPECT_THAT(diff.text(), HasSubstr("+hello")) << name;
    EXPECT_EQ(diff.from_commit(), plan.base_commit());
  }
  repository::v1::ListCommitsRequest request;
  request.set_plan(kPlan);
  ASSERT_OK_AND_ASSIGN(const auto commits,
                       rpc::CallUnary(*repository_, &RepositoryStub::ListCommits, request));
  ASSERT_THAT(commits.commits(), SizeIs(1));
  EXPECT_EQ(commits.commits(0).commit(), candidate.commit());
  EXPECT_EQ(commits.commits(0).task(), std::string(kPlan) + "/tasks/import");
}

}  // namespace
}  // namespace slipway::reviewer
