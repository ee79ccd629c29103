#include "lib/http/sse_parser.h"

#include <string>
#include <utility>
#include <vector>

#include "lib/testkit/matchers.h"

namespace slipway::http {

bool operator==(const SseEvent& a, const SseEvent& b) {
  return a.event == b.event && a.data == b.data && a.id == b.id;
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testkit::FailsWithReason;

std::vector<SseEvent> Parse(SseParser& parser, absl::string_view bytes) {
  std::vector<SseEvent> events;
  EXPECT_OK(parser.Feed(bytes, [&](SseEvent event) { events.push_back(std::move(event)); }));
  return events;
}

std::vector<SseEvent> Parse(absl::string_view bytes) {
  SseParser parser;
  return Parse(parser, bytes);
}

TEST(SseParserTest, ReadsNamesDataAndIds) {
  EXPECT_THAT(Parse("event: a\nid: 1\ndata: x\ndata:  y\n\ndata:z\n\n"),
              ElementsAre(SseEvent{"a", "x\n y", "1"}, SseEvent{"message", "z", "1"}));
}

TEST(SseParserTest, IgnoresCommentsUnknownFieldsAndEventsWithoutData) {
  EXPECT_THAT(Parse(": hello\nfoo: bar\nevent: a\n\ndata\n\n"),
              ElementsAre(SseEvent{"message", "", ""}));
}

TEST(SseParserTest, DropsAnEventThatTheStreamDoesNotEnd) {
  EXPECT_THAT(Parse("data: x\n"), IsEmpty());
}

TEST(SseParserTest, ReadsTheSameWhereverTheBytesAreCut) {
  const std::string stream =
      "\xEF\xBB\xBF"
      "data: a\r\ndata: b\r\n\r\nevent: e\rdata: c\r\rid: 7\ndata: d\n\n";
  const auto expected = ElementsAre(SseEvent{"message", "a\nb", ""}, SseEvent{"e", "c", ""},
                                    SseEvent{"message", "d", "7"});
  EXPECT_THAT(Parse(stream), expected);
  for (size_t first = 0; first <= stream.size(); ++first) {
    for (size_t second = first; second <= stream.size(); ++second) {
      SseParser parser;
      std::vector<SseEvent> events;
      for (const std::string& part :
           {stream.substr(0, first), stream.substr(first, second - first), stream.substr(second)}) {
        for (SseEvent& event : Parse(parser, part)) events.push_back(std::move(event));
      }
      ASSERT_THAT(events, expected) << first << " " << second;
    }
  }
}

TEST(SseParserTest, KeepsTheRetryDelayAndRefusesOneThatIsNoNumber) {
  SseParser parser;
  Parse(parser, "retry: 1500\nretry: 2s\nretry:\n\n");
  EXPECT_EQ(parser.retry(), absl::Milliseconds(1'500));
}

TEST(SseParserTest, RefusesAnEventOverTheLimit) {
  for (const std::string& stream :
       {std::string(101, 'x'),
        "data: " + std::string(60, 'x') + "\ndata: " + std::string(60, 'x') + "\n\n"}) {
    SseParser parser(100);
    EXPECT_THAT(parser.Feed(stream, [](SseEvent) {}), FailsWithReason("SSE_EVENT_TOO_LARGE"));
    EXPECT_THAT(parser.Feed("\n", [](SseEvent) {}), FailsWithReason("SSE_EVENT_TOO_LARGE"));
  }
}

TEST(SseFrameTest, SurvivesTheParser) {
  EXPECT_THAT(Parse(SseFrame("e", "a\nb\r\nc\rd", "9")),
              ElementsAre(SseEvent{"e", "a\nb\nc\nd", "9"}));
  EXPECT_THAT(Parse(SseFrame("", "")), ElementsAre(SseEvent{"message", "", ""}));
  EXPECT_THAT(Parse(kSseHeartbeat), IsEmpty());
}

TEST(SseFrameTest, LetsNoFieldInjectAnother) {
  EXPECT_THAT(Parse(SseFrame("e\ndata: forged", "x", "1\r\nevent: forged")),
              ElementsAre(SseEvent{"edata: forged", "x", "1event: forged"}));
}

}  // namespace
}  // namespace slipway::http
