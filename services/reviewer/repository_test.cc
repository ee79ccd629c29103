#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/git/snapshot_files.h"
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
  EXPECT_THAT(OpenPlan(WithValidator()), FailsWithReason("PLAN_OPEN"));
}

TEST_F(RepositoryTest, ValidatorOutsideTheAllowListIsRefused) {
  common::v1::ProjectPolicy policy = WithValidator();
  policy.mutable_validators(0)->set_command(0, "curl");
  EXPECT_THAT(OpenPlan(policy), FailsWithReason("POLICY_INVALID"));
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
