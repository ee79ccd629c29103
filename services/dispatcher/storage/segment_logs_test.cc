#include "services/dispatcher/storage/segment_logs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::dispatcher {
namespace {

namespace fs = std::filesystem;
using testkit::IsOk;

class SegmentLogsTest : public ::testing::Test {
 protected:
  void Open() {
    logs_.reset();
    auto opened = SegmentLogs::Open(root_.path() + "/logs", limits_, clock_);
    ASSERT_THAT(opened, IsOk());
    logs_ = *std::move(opened);
  }
  static AttemptKey Key(int64_t epoch) {
    return {.task = {.plan = "projects/p/plans/n", .id = "t"}, .epoch = epoch};
  }
  void Append(int64_t epoch, const std::string& data) {
    ASSERT_THAT(logs_->Append(Key(epoch), logs_->Size(Key(epoch)), data), IsOk());
  }
  LogPiece Read(int64_t epoch, int64_t offset = 0) {
    auto piece = logs_->Read(Key(epoch), offset, 1 << 20);
    EXPECT_THAT(piece, IsOk());
    return piece.value_or(LogPiece());
  }
  // As if the attempt had printed last `age` ago.
  void SetAge(int64_t epoch, absl::Duration age) {
    const timespec time = absl::ToTimespec(clock_.Now() - age);
    const timespec times[] = {time, time};
    const std::string path = absl::StrCat(root_.path(), "/logs/projects/p/plans/n/t/", epoch);
    for (const auto& entry : fs::directory_iterator(path)) {
      ASSERT_EQ(utimensat(AT_FDCWD, entry.path().c_str(), times, 0), 0);
    }
  }

  testkit::TemporaryDirectory root_;
  // Files have the times of the machine.
  static absl::Time TimeOf(const std::string& path) {
    struct stat info = {};
    stat(path.c_str(), &info);
    return absl::TimeFromTimespec(info.st_mtim);
  }
  LogLimits limits_{.segment_bytes = 1'000,
                    .attempt_bytes_max = 10'000,
                    .total_bytes_max = 4'000,
                    .retention = absl::Hours(48)};
  testkit::FakeClock clock_{TimeOf(root_.path())};
  std::unique_ptr<SegmentLogs> logs_;
};

TEST_F(SegmentLogsTest, AttemptsHaveLogsOfTheirOwn) {
  Open();
  Append(1, "one");
  Append(2, "two");
  EXPECT_EQ(Read(1).data, "one");
  EXPECT_EQ(Read(2, 1).data, "wo");
  EXPECT_EQ(logs_->Size(Key(3)), 0);
  Open();
  EXPECT_EQ(Read(1).data, "one");
}

TEST_F(SegmentLogsTest, ManyLogsStayReadableWithFewOpen) {
  Open();
  for (int64_t epoch = 1; epoch <= 600; ++epoch) Append(epoch, absl::StrCat("log ", epoch));
  for (int64_t epoch = 1; epoch <= 600; ++epoch) {
    ASSERT_EQ(Read(epoch).data, absl::StrCat("log ", epoch));
    Append(epoch, ".");
  }
  EXPECT_EQ(Read(1).data, "log 1.");
}

TEST_F(SegmentLogsTest, QuietSegmentIsClosedAndLogOlderThanItIsKeptIsDropped) {
  Open();
  Append(1, std::string(500, 'a'));
  Append(2, std::string(500, 'b'));
  Append(3, std::string(500, 'c'));
  SetAge(1, absl::Hours(49));
  SetAge(2, absl::Hours(1));
  SetAge(3, absl::Seconds(1));
  logs_->Sweep();
  EXPECT_EQ(Read(1).loss, LogLoss::kExpired);
  EXPECT_EQ(Read(1).lost_bytes, 500);
  EXPECT_EQ(Read(2).data, std::string(500, 'b'));
  const std::string plan = root_.path() + "/logs/projects/p/plans/n/t/";
  EXPECT_FALSE(fs::exists(plan + "2/00000000000000000000.log"));
  EXPECT_TRUE(fs::exists(plan + "3/00000000000000000000.log"));
  logs_->Sweep();
  EXPECT_EQ(Read(1).loss, LogLoss::kExpired) << "the mark stays";
}

TEST_F(SegmentLogsTest, OldestLogsGoWhenAllTogetherAreTooLarge) {
  Open();
  logs_->Sweep();
  for (int64_t epoch = 1; epoch <= 6; ++epoch) {
    Append(epoch, std::string(600, 'x'));
    SetAge(epoch, absl::Seconds(100 - epoch));
  }
  Append(7, std::string(900, 'y'));
  EXPECT_EQ(Read(1).loss, LogLoss::kTotalLimit) << "found by the append that made it too much";
  EXPECT_EQ(Read(7).data, std::string(900, 'y'));
  EXPECT_EQ(Read(6).data, std::string(600, 'x'));
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root_.path() + "/logs")) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  EXPECT_LE(bytes, 4'000);
}

TEST_F(SegmentLogsTest, LogOfTheOldFormatIsCountedAndKept) {
  fs::create_directories(root_.path() + "/logs/projects/p/plans/n/t");
  const std::string path = root_.path() + "/logs/projects/p/plans/n/t/9.log";
  ASSERT_THAT(base::WriteFileAtomic(path, "from before"), IsOk());
  const timespec times[] = {absl::ToTimespec(clock_.Now()), absl::ToTimespec(clock_.Now())};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  Open();
  logs_->Sweep();
  EXPECT_EQ(Read(9).data, "from before");
}

}  // namespace
}  // namespace slipway::dispatcher
