#include "services/dispatcher/storage/attempt_log.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::dispatcher {
namespace {

namespace fs = std::filesystem;
using testkit::FailsWithReason;
using testkit::IsOk;

class AttemptLogTest : public ::testing::Test {
 protected:
  void Open() {
    log_.reset();
    auto opened = AttemptLog::Open(directory(), limits_);
    ASSERT_THAT(opened, IsOk());
    log_ = *std::move(opened);
  }
  std::string directory() const { return absl::StrCat(root_.path(), "/1"); }

  // Everything from `offset` on, losses as their markers.
  std::string ReadAll(int64_t offset = 0, size_t step = 1'000) {
    std::string text;
    while (offset < log_->size()) {
      const absl::StatusOr<LogPiece> piece = log_->Read(offset, step);
      if (!piece.ok() || piece->next_offset <= offset) return absl::StrCat(text, "STUCK");
      absl::StrAppend(&text, piece->data,
                      piece->loss == LogLoss::kNone
                          ? ""
                          : LossMarker(piece->loss, piece->next_offset - offset));
      offset = piece->next_offset;
    }
    return text;
  }
  std::vector<std::string> Files(const std::string& extension) const {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(directory())) {
      if (entry.path().extension() == extension) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  // Text that does not compress, `size` bytes.
  static std::string Noise(size_t size, uint64_t seed) {
    std::string noise;
    while (noise.size() < size) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      noise.push_back(static_cast<char>(seed >> 33));
    }
    return noise;
  }

  testkit::TemporaryDirectory root_;
  LogLimits limits_{.segment_bytes = 1'000, .attempt_bytes_max = 1 << 20};
  std::unique_ptr<AttemptLog> log_;
};

TEST_F(AttemptLogTest, WhatIsAppendedIsReadFromAnyOffset) {
  Open();
  EXPECT_EQ(log_->size(), 0);
  ASSERT_THAT(log_->Append(0, "hello "), IsOk());
  ASSERT_THAT(log_->Append(6, "world"), IsOk());
  for (int64_t offset = 0; offset <= 11; ++offset) {
    EXPECT_EQ(ReadAll(offset, 4), std::string("hello world").substr(offset));
  }
  EXPECT_THAT(log_->Read(12, 1), FailsWithReason("OFFSET_INVALID"));
  EXPECT_THAT(log_->Read(-1, 1), FailsWithReason("OFFSET_INVALID"));
  EXPECT_THAT(log_->Append(-1, "x"), FailsWithReason("OFFSET_INVALID"));
  EXPECT_THAT(log_->Append(int64_t{1} << 60, "x"), FailsWithReason("OFFSET_INVALID"));
}

TEST_F(AttemptLogTest, RepeatedBytesChangeNothing) {
  Open();
  ASSERT_THAT(log_->Append(0, "abcdef"), IsOk());
  ASSERT_THAT(log_->Append(0, "abcdef"), IsOk());
  ASSERT_THAT(log_->Append(3, "defghi"), IsOk());
  EXPECT_EQ(ReadAll(), "abcdefghi");
}

TEST_F(AttemptLogTest, GapIsToldWithItsBytesAndPassedOver) {
  Open();
  ASSERT_THAT(log_->Append(0, "begin\n"), IsOk());
  ASSERT_THAT(log_->Append(106, "end\n"), IsOk());
  EXPECT_EQ(ReadAll(), "begin\n[slipway: LOG_NOT_RECEIVED: 100 bytes of this log are lost]end\n");
  Open();
  EXPECT_EQ(ReadAll(), "begin\n[slipway: LOG_NOT_RECEIVED: 100 bytes of this log are lost]end\n");
  const absl::StatusOr<LogPiece> middle = log_->Read(56, 10);
  ASSERT_THAT(middle, IsOk());
  EXPECT_EQ(middle->lost_bytes, 50) << "a reader that resumes within it is told what is left";
}

TEST_F(AttemptLogTest, SegmentsAreClosedAtTheirSizeAndCompressed) {
  Open();
  std::string all;
  for (int i = 0; i < 100; ++i) {
    const std::string line = absl::StrCat("line ", i, " of many that are much alike\n");
    ASSERT_THAT(log_->Append(static_cast<int64_t>(all.size()), line), IsOk());
    all += line;
  }
  EXPECT_GE(Files(".z").size(), 3u);
  EXPECT_EQ(Files(".log").size(), 1u);
  EXPECT_LT(log_->disk_bytes(), static_cast<int64_t>(all.size()));
  EXPECT_EQ(ReadAll(), all);
  EXPECT_EQ(ReadAll(1'234, 7), all.substr(1'234));
  Open();
  EXPECT_EQ(ReadAll(), all);
  ASSERT_THAT(log_->Append(log_->size(), "more"), IsOk());
  EXPECT_EQ(ReadAll(), all + "more");
}

TEST_F(AttemptLogTest, TornTailIsCutAtTheStartAndWhatIsKnownToBeLostIsTold) {
  Open();
  ASSERT_THAT(log_->Append(0, "whole\n"), IsOk());
  ASSERT_THAT(log_->Append(6, "torn by a crash\n"), IsOk());
  log_.reset();
  const std::string tail = Files(".log").front();
  const auto size = fs::file_size(tail);
  for (const size_t cut : {1u, 5u, 15u, 16u, 20u, 43u}) {
    SCOPED_TRACE(cut);
    fs::copy_file(tail, root_.path() + "/copy");
    fs::resize_file(tail, size - cut);
    Open();
    const std::string text = ReadAll();
    EXPECT_TRUE(text == "whole\n" ||
                text == "whole\n[slipway: LOG_DAMAGED: 16 bytes of this log are lost]")
        << text;
    EXPECT_EQ(cut <= 16, absl::StrContains(text, "DAMAGED")) << "the header is whole";
    const int64_t end = log_->size();
    ASSERT_THAT(log_->Append(22, "next"), IsOk());
    EXPECT_TRUE(absl::EndsWith(ReadAll(end), "next"));
    Open();
    EXPECT_TRUE(absl::EndsWith(ReadAll(), "next")) << ReadAll();
    log_.reset();
    fs::remove_all(directory());
    fs::create_directory(directory());
    fs::rename(root_.path() + "/copy", tail);
  }
}

TEST_F(AttemptLogTest, GarbageAfterTheTailIsCut) {
  Open();
  ASSERT_THAT(log_->Append(0, "whole\n"), IsOk());
  log_.reset();
  std::ofstream(Files(".log").front(), std::ios::app) << std::string(5'000, '\0');
  Open();
  EXPECT_EQ(ReadAll(), "whole\n");
  ASSERT_THAT(log_->Append(6, "next\n"), IsOk());
  EXPECT_EQ(ReadAll(), "whole\nnext\n");
}

TEST_F(AttemptLogTest, CrashBetweenClosingAndRemovingTheTailRepeatsNothing) {
  Open();
  ASSERT_THAT(log_->Append(0, "closed\n"), IsOk());
  const std::string tail = Files(".log").front();
  fs::copy_file(tail, tail + ".copy");
  ASSERT_THAT(log_->CloseTail(), IsOk());
  log_.reset();
  fs::rename(tail + ".copy", tail);
  std::ofstream(absl::StrCat(directory(), "/00000000000000000007-00000000000000000009.z.tmp")) << 1;
  Open();
  EXPECT_EQ(ReadAll(), "closed\n");
  ASSERT_THAT(log_->Append(7, "next\n"), IsOk());
  Open();
  EXPECT_EQ(ReadAll(), "closed\nnext\n");
  EXPECT_THAT(Files(".tmp"), ::testing::IsEmpty());
}

TEST_F(AttemptLogTest, MiddleIsDroppedBeyondTheLimitAndTold) {
  limits_ = {.segment_bytes = 1'000, .attempt_bytes_max = 5'000};
  Open();
  std::string all;
  for (int i = 0; i < 40; ++i) {
    const std::string noise = Noise(500, static_cast<uint64_t>(i));
    ASSERT_THAT(log_->Append(static_cast<int64_t>(all.size()), noise), IsOk());
    all += noise;
    ASSERT_LE(log_->disk_bytes(), 5'000);
  }
  for (int round = 0; round < 2; ++round) {
    const std::string text = ReadAll();
    EXPECT_TRUE(absl::StartsWith(text, all.substr(0, 1'000)));
    EXPECT_TRUE(absl::EndsWith(text, all.substr(all.size() - 2'000)));
    EXPECT_EQ(Files(".ATTEMPT_LIMIT").size(), 1u) << "marks are joined";
    const size_t kept = text.size() - text.find("[slipway: LOG_ATTEMPT_LIMIT");
    EXPECT_LT(kept, 5'000u);
    EXPECT_EQ(log_->size(), static_cast<int64_t>(all.size()));
    Open();
  }
}

TEST_F(AttemptLogTest, DamagedSegmentIsToldAndTheRestIsRead) {
  Open();
  ASSERT_THAT(log_->Append(0, std::string(1'500, 'a')), IsOk());
  ASSERT_THAT(log_->Append(1'500, std::string(1'500, 'b')), IsOk());
  ASSERT_THAT(log_->Append(3'000, "end"), IsOk());
  log_.reset();
  std::fstream file(Files(".z").front());
  file.seekp(12);
  file << "damage";
  file.close();
  Open();
  EXPECT_EQ(ReadAll(), absl::StrCat("[slipway: LOG_DAMAGED: 1500 bytes of this log are lost]",
                                    std::string(1'500, 'b'), "end"));
  fs::remove(Files(".z").back());
  Open();
  EXPECT_TRUE(absl::EndsWith(ReadAll(), "1500 bytes of this log are lost]end")) << ReadAll();
}

TEST_F(AttemptLogTest, DroppedLogLeavesItsMarkAndGoesOn) {
  Open();
  ASSERT_THAT(log_->Append(0, std::string(2'500, 'a')), IsOk());
  ASSERT_THAT(log_->Append(2'500, "tail"), IsOk());
  ASSERT_THAT(log_->Drop(LogLoss::kExpired), IsOk());
  EXPECT_EQ(log_->disk_bytes(), 0);
  EXPECT_TRUE(log_->is_dropped());
  ASSERT_THAT(log_->Append(2'504, "later"), IsOk());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(ReadAll(), "[slipway: LOG_EXPIRED: 2504 bytes of this log are lost]later");
    Open();
  }
  ASSERT_THAT(log_->Drop(LogLoss::kTotalLimit), IsOk());
  EXPECT_EQ(ReadAll(), "[slipway: LOG_TOTAL_LIMIT: 2509 bytes of this log are lost]");
}

TEST_F(AttemptLogTest, LogOfTheOldFormatIsTakenOver) {
  std::string all;
  for (int i = 0; i < 300; ++i) all += absl::StrCat("old line ", i, "\n");
  std::ofstream(directory() + ".log") << all;
  Open();
  EXPECT_EQ(ReadAll(), all);
  EXPECT_FALSE(fs::exists(directory() + ".log"));
  ASSERT_THAT(log_->Append(static_cast<int64_t>(all.size()), "new"), IsOk());
  EXPECT_EQ(ReadAll(), all + "new");
}

// A limit on the size of files stands for a full disk: writes are cut short, then fail.
class FullDisk final {
 public:
  explicit FullDisk(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_;
};

TEST_F(AttemptLogTest, FullDiskStopsNobodyAndTheLossIsCountedAndTold) {
  limits_.segment_bytes = 1 << 20;
  Open();
  ASSERT_THAT(log_->Append(0, "before\n"), IsOk());
  {
    const FullDisk full(100);
    ASSERT_THAT(log_->Append(7, std::string(500, 'x')), IsOk());
    EXPECT_EQ(ReadAll(), "before\n[slipway: LOG_NOT_STORED: 500 bytes of this log are lost]");
    ASSERT_THAT(log_->Append(507, std::string(500, 'x')), IsOk());
    EXPECT_TRUE(log_->has_unstored());
    EXPECT_EQ(log_->size(), 1'007);
  }
  ASSERT_THAT(log_->Append(1'007, "after\n"), IsOk());
  EXPECT_FALSE(log_->has_unstored());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(ReadAll(),
              "before\n[slipway: LOG_NOT_STORED: 1000 bytes of this log are lost]after\n");
    Open();
  }
}

TEST_F(AttemptLogTest, SegmentThatCannotBeClosedStaysOpen) {
  Open();
  ASSERT_THAT(log_->Append(0, Noise(900, 1)), IsOk());
  {
    const FullDisk full(1'160);
    ASSERT_THAT(log_->Append(900, Noise(200, 2)), IsOk());
    EXPECT_EQ(Files(".log").size(), 1u);
    EXPECT_EQ(ReadAll(), Noise(900, 1) + Noise(200, 2));
    ASSERT_THAT(log_->Drop(LogLoss::kTotalLimit), IsOk()) << "dropping needs no room";
  }
  EXPECT_EQ(log_->disk_bytes(), 0);
}

}  // namespace
}  // namespace slipway::dispatcher
