#include "cli/supervisor/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/supervisor/readiness.h"
#include "lib/base/mutex.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::cli {
namespace {

using testkit::FailsWithReason;

class SuiteTest : public ::testing::Test {
 protected:
  SuiteTest() {
    std::vector<std::string> names = ServiceNames();
    names.push_back("agent");
    for (const std::string& name : names) {
      EXPECT_EQ(symlink(SLIPWAY_FAKE_SERVICE, programs_.File("slipway-" + name).c_str()), 0);
    }
  }

  SuiteOptions Options() {
    SuiteOptions options{.data = data_, .program_directory = programs_.path(), .http_port = 0};
    options.start_timeout = absl::Seconds(30);
    options.report = [this](absl::string_view line) {
      base::MutexLock lock(mutex_);
      reports_.emplace_back(line);
    };
    return options;
  }

  std::vector<std::string> reports() {
    base::MutexLock lock(mutex_);
    return reports_;
  }

  // Waits for a life of the service after `starts`.
  void WaitForRestart(const Suite& suite, const std::string& service, int starts) {
    base::Mutex mutex;
    base::CondVar never;
    base::MutexLock lock(mutex);
    while (suite.StateOf(service).starts <= starts || suite.StateOf(service).pid == 0) {
      never.WaitFor(mutex, absl::Milliseconds(2));
    }
    ASSERT_OK(WaitUntilServing("unix:" + data_.Socket(service), absl::Seconds(30), clock_,
                               [&] { return absl::OkStatus(); }));
  }

  base::Clock& clock_ = base::RealClock();
  testkit::TemporaryDirectory programs_;
  testkit::TemporaryDirectory directory_;
  DataDirectory data_{directory_.path()};
  base::Mutex mutex_;
  std::vector<std::string> reports_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(SuiteTest, IsReadyWhenEveryServiceServesAndCanBeFound) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Suite> suite, Suite::Start(Options(), clock_));
  for (const std::string& name : ServiceNames()) EXPECT_GT(suite->StateOf(name).pid, 0) << name;
  ASSERT_OK_AND_ASSIGN(const UpRecord record, ReadUpRecord(data_));
  EXPECT_EQ(record.pid, getpid());
  EXPECT_EQ(record.gateway_address, "unix:" + data_.Socket("gateway"));
  EXPECT_EQ(suite->SignInUrl().find(record.url + "/#token="), 0u);
}

TEST_F(SuiteTest, KeepsSecretsFromOthers) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Suite> suite, Suite::Start(Options(), clock_));
  for (const std::string& path :
       {data_.File("config"), data_.File("run"), data_.File("ledger"), data_.OneTimeToken()}) {
    struct stat status;
    ASSERT_EQ(stat(path.c_str(), &status), 0) << path;
    EXPECT_EQ(status.st_mode & 0077, 0u) << path;
  }
}

TEST_F(SuiteTest, RefusesASecondSuiteInTheSameDirectory) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Suite> suite, Suite::Start(Options(), clock_));
  const auto second = Suite::Start(Options(), clock_);
  EXPECT_THAT(second, FailsWithReason("RUNNING_ALREADY"));
  EXPECT_NE(second.status().message().find(suite->record().url), absl::string_view::npos);
  EXPECT_NE(second.status().message().find(std::to_string(getpid())), absl::string_view::npos);
}

TEST_F(SuiteTest, StartsAServiceAgainThatWasKilled) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Suite> suite, Suite::Start(Options(), clock_));
  kill(suite->StateOf("models").pid, SIGKILL);
  WaitForRestart(*suite, "models", 1);
  EXPECT_THAT(reports(), ::testing::ElementsAre("models ended by signal 9; starting it again"));
}

TEST_F(SuiteTest, StopsEveryServiceAndLeavesTheDirectoryFree) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Suite> suite, Suite::Start(Options(), clock_));
  suite->Stop();
  for (const std::string& name : ServiceNames()) EXPECT_EQ(suite->StateOf(name).pid, 0) << name;
  EXPECT_THAT(ReadUpRecord(data_), FailsWithReason("NOT_RUNNING"));
  EXPECT_THAT(reports(), ::testing::IsEmpty());
  EXPECT_OK(Suite::Start(Options(), clock_));
}

TEST_F(SuiteTest, SaysWhyAServiceDoesNotStart) {
  ASSERT_OK(base::MakeDirectories(data_.File("config")));
  ASSERT_OK(base::WriteFileAtomic(data_.Config("ledger") + ".fail", "x"));
  const auto suite = Suite::Start(Options(), clock_);
  EXPECT_THAT(suite, FailsWithReason("SERVICE_FAILED"));
  EXPECT_NE(suite.status().message().find("told to fail"), absl::string_view::npos);
  EXPECT_THAT(base::LockFile(data_.Lock()), testkit::IsOk());
}

TEST_F(SuiteTest, NamesAMissingProgram) {
  unlink(programs_.File("slipway-reviewer").c_str());
  EXPECT_THAT(Suite::Start(Options(), clock_), FailsWithReason("BINARY_MISSING"));
}

}  // namespace
}  // namespace slipway::cli
