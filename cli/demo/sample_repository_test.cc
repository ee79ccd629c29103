#include "cli/demo/sample_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/file.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kPassing[] =
    "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        pass\n";
constexpr char kFailing[] =
    "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_a(self):\n"
    "        self.fail('broken')\n";

class SampleRepositoryTest : public ::testing::Test {
 protected:
  absl::StatusOr<SampleRepository> Create(const std::string& name, const std::string& test) {
    const std::string files = directory_.File(name + "-files");
    EXPECT_TRUE(base::MakeDirectories(files).ok());
    EXPECT_TRUE(base::WriteFileAtomic(files + "/test_a.py", test).ok());
    return SampleRepository::Create(directory_.File(name + ".git"), files);
  }

  testkit::TemporaryDirectory directory_;
};

TEST_F(SampleRepositoryTest, TheSameFilesGiveTheSameCommit) {
  const absl::StatusOr<SampleRepository> one = Create("one", kPassing);
  const absl::StatusOr<SampleRepository> two = Create("two", kPassing);
  const absl::StatusOr<SampleRepository> other = Create("other", kFailing);
  ASSERT_TRUE(one.ok() && two.ok() && other.ok()) << one.status() << two.status();

  EXPECT_EQ(*one->Resolve("main"), *two->Resolve("main"));
  EXPECT_NE(*one->Resolve("main"), *other->Resolve("main"));
}

TEST_F(SampleRepositoryTest, ItsTestsAreRunOnACloneAndCounted) {
  const absl::StatusOr<SampleRepository> repository = Create("one", kPassing);
  ASSERT_TRUE(repository.ok()) << repository.status();

  const absl::StatusOr<TestRun> run = repository->CloneAndTest(directory_.File("clone"));

  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_TRUE(run->passed);
  EXPECT_EQ(run->tests, 1);
}

TEST_F(SampleRepositoryTest, TestsThatFailAreNoErrorButShown) {
  const absl::StatusOr<SampleRepository> repository = Create("one", kFailing);
  ASSERT_TRUE(repository.ok()) << repository.status();

  const absl::StatusOr<TestRun> run = repository->CloneAndTest(directory_.File("clone"));

  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_FALSE(run->passed);
  EXPECT_THAT(run->output, HasSubstr("broken"));
}

TEST_F(SampleRepositoryTest, ARevisionThatIsNotThereIsAnErrorThatNamesTheCommand) {
  const absl::StatusOr<SampleRepository> repository = Create("one", kPassing);
  ASSERT_TRUE(repository.ok()) << repository.status();

  EXPECT_THAT(repository->Resolve("nothing").status(), testkit::FailsWithReason("COMMAND_FAILED"));
}

}  // namespace
}  // namespace slipway::cli
