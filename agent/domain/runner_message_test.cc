#include "agent/domain/runner_message.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "agent/domain/frame.h"
#include "agent/domain/limits.h"
#include "lib/testkit/matchers.h"

namespace slipway::agent {
namespace {

using testkit::FailsWithReason;

template <typename T>
T Again(const T& message) {
  const absl::StatusOr<RunnerMessage> decoded = DecodeMessage(EncodeMessage(message));
  EXPECT_OK(decoded);
  return std::get<T>(*decoded);
}

TEST(RunnerMessageTest, ReadsWhatItWrites) {
  EXPECT_EQ(Again(ProgressNote{.phase = "model", .detail = "asking"}).detail, "asking");
  EXPECT_EQ(Again(LogText{.text = "gr\xc3\xbc\xc3\x9f\n"}).text, "gr\xc3\xbc\xc3\x9f\n");
  const std::string bytes("\x00\xff\xfe binary \n", 12);
  EXPECT_EQ(Again(PatchPiece{.bytes = bytes}).bytes, bytes);
  EXPECT_EQ(Again(Change{.tree = std::string(40, 'a'), .summary = "s"}).tree, std::string(40, 'a'));
  const Failure failure = Again(
      Failure{.failure_class = FailureClass::kProvider, .reason = "NO_EDIT", .detail = "\xff bad"});
  EXPECT_EQ(failure.failure_class, FailureClass::kProvider);
  EXPECT_EQ(failure.detail, "\xef\xbf\xbd bad");
  const Stop stop = Again(Stop{.reason = StopReason::kRateLimit,
                               .detail = "closed",
                               .retry_delay = absl::Milliseconds(1'500)});
  EXPECT_EQ(stop.retry_delay, absl::Milliseconds(1'500));
}

TEST(RunnerMessageTest, CutsWhatIsTooLong) {
  EXPECT_EQ(Again(ProgressNote{.phase = "edit", .detail = std::string(5'000, 'x')}).detail.size(),
            kProgressDetailBytesMax);
}

TEST(RunnerMessageTest, ADetailIsOneLine) {
  EXPECT_EQ(Again(ProgressNote{.phase = "edit", .detail = "a\nb\r\x1b[0m"}).detail, "a b [0m");
}

TEST(RunnerMessageTest, RefusesWhatItWouldNotWrite) {
  for (const char* json :
       {"", "null", "[]", "{}", "{\"type\":1}", "{\"type\":\"progress\"}",
        R"({"type":"progress","phase":"lunch","detail":""})", R"({"type":"patch","data":"***"})",
        R"({"type":"failure","class":"agent","reason":"lower","detail":""})",
        R"({"type":"stop","reason":"told","detail":""})",
        R"({"type":"stop","reason":"budget","detail":"","retry_ms":"1"})",
        R"({"type":"change","tree":"abc","summary":""})"}) {
    EXPECT_THAT(DecodeMessage(json), FailsWithReason("RUNNER_PROTOCOL")) << json;
  }
}

TEST(FrameReaderTest, GivesTheSameHoweverTheStreamIsCut) {
  const std::string stream = EncodeFrame("one") + EncodeFrame(std::string(300, 'x'));
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameReader reader;
    std::vector<size_t> sizes;
    for (size_t from = 0; from < stream.size(); from += piece) {
      EXPECT_OK(reader.Feed(stream.substr(from, piece), [&](absl::string_view frame) {
        sizes.push_back(frame.size());
        return absl::OkStatus();
      }));
    }
    EXPECT_THAT(sizes, ::testing::ElementsAre(3, 300));
    EXPECT_TRUE(reader.AtBoundary());
  }
}

TEST(FrameReaderTest, StaysFailedAfterAFrameThatIsTooLarge) {
  FrameReader reader;
  const auto none = [](absl::string_view) { return absl::OkStatus(); };

  EXPECT_THAT(reader.Feed("\x7f\xff\xff\xff", none), FailsWithReason("RUNNER_PROTOCOL"));
  EXPECT_THAT(reader.Feed(EncodeFrame("fine"), none), FailsWithReason("RUNNER_PROTOCOL"));
}

TEST(FrameReaderTest, RefusesAnEmptyFrame) {
  FrameReader reader;
  const auto none = [](absl::string_view) { return absl::OkStatus(); };
  EXPECT_THAT(reader.Feed(absl::string_view("\0\0\0\0", 4), none),
              FailsWithReason("RUNNER_PROTOCOL"));
}

}  // namespace
}  // namespace slipway::agent
