#include "lib/log/log.h"

#include <stdlib.h>

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "lib/log/context.h"
#include "lib/log/scoped_sink.h"
#include "lib/testkit/matchers.h"

namespace slipway::log {
namespace {

using Json = nlohmann::json;

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override { Init("ledger", {.level = Level::kInfo}); }

  Json OnlyLine() {
    EXPECT_EQ(lines_.size(), 1u);
    return lines_.empty() ? Json() : Json::parse(lines_.front());
  }

  std::vector<std::string> lines_;
  ScopedSink sink_{[this](absl::string_view line) { lines_.emplace_back(line); }};
};

struct RunTag;

TEST_F(LogTest, LineIsOneJsonObjectWithTheStandardKeysFirst) {
  Info("entry appended", {{"sequence", 7}});

  EXPECT_THAT(lines_.front(), ::testing::StartsWith("{\"time\":\"20"));
  const Json line = OnlyLine();
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["service"], "ledger");
  EXPECT_EQ(line["message"], "entry appended");
  EXPECT_EQ(line["sequence"], 7);
  EXPECT_FALSE(line.contains("request_id"));
  EXPECT_FALSE(line.contains("truncated"));
}

TEST_F(LogTest, EveryTypeKeepsItsJsonType) {
  const base::Id<RunTag> run("run-1");
  Info("types", {{"id", run},
                 {"text", std::string("a")},
                 {"flag", true},
                 {"small", int64_t{-9'007'199'254'740'993}},
                 {"large", std::numeric_limits<uint64_t>::max()},
                 {"real", 0.25},
                 {"infinite", std::numeric_limits<double>::infinity()}});

  const Json line = OnlyLine();
  EXPECT_EQ(line["id"], "run-1");
  EXPECT_EQ(line["text"], "a");
  EXPECT_EQ(line["flag"], true);
  EXPECT_EQ(line["small"], int64_t{-9'007'199'254'740'993});
  EXPECT_EQ(line["large"], std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(line["real"], 0.25);
  EXPECT_TRUE(line["infinite"].is_null());
}

TEST_F(LogTest, ControlCharactersAndQuotesAreEscaped) {
  const std::string hostile("a\"b\\c\nd\re\tf\x01\x7f", 14);
  Info("escapes", {{"text", hostile}, {"k\"ey", "x"}});

  EXPECT_EQ(lines_.front().find('\n'), std::string::npos);
  const Json line = OnlyLine();
  EXPECT_EQ(line["text"], hostile);
  EXPECT_EQ(line["k\"ey"], "x");
}

TEST_F(LogTest, BytesThatAreNotUtf8AreReplaced) {
  Info("utf8", {{"good", "h\xC3\xA9 \xF0\x9F\x9A\xA2"},
                {"stray", "a\xFFz"},
                {"overlong", "\xC0\xAF"},
                {"surrogate", "\xED\xA0\x80"},
                {"cut", "\xE2\x82"}});

  const Json line = OnlyLine();
  EXPECT_EQ(line["good"], "h\xC3\xA9 \xF0\x9F\x9A\xA2");
  EXPECT_EQ(line["stray"], "a\xEF\xBF\xBDz");
  EXPECT_EQ(line["overlong"], "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(line["surrogate"], "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(line["cut"], "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_F(LogTest, LongValueIsCutAndMarked) {
  Info("long", {{"text", std::string(100'000, 'x')}, {"after", 1}});

  const Json line = OnlyLine();
  EXPECT_EQ(line["text"].get<std::string>().size(), 1'024u);
  EXPECT_EQ(line["after"], 1);
  EXPECT_EQ(line["truncated"], true);
}

TEST_F(LogTest, LineNeverExceedsItsLimitAndStaysValid) {
  const std::string wide(2'000, '\x01');  // Six bytes each when escaped.
  Info("many", {{"a", wide}, {"b", wide}, {"c", wide}, {"d", wide}, {"e", wide}, {"f", 1}});

  EXPECT_LT(lines_.front().size(), kLineBytesMax);
  const Json line = OnlyLine();
  EXPECT_EQ(line["truncated"], true);
  EXPECT_EQ(line["f"], 1);
}

TEST_F(LogTest, LevelsBelowTheMinimumAreDropped) {
  Debug("dropped");
  Init("ledger", {.level = Level::kError});
  Info("dropped");
  Warning("dropped");
  Error("kept");

  EXPECT_EQ(OnlyLine()["message"], "kept");
}

TEST_F(LogTest, EnvironmentSetsTheLevelWhenNoOptionDoes) {
  setenv("SLIPWAY_LOG_LEVEL", "Debug", 1);
  Init("ledger");
  unsetenv("SLIPWAY_LOG_LEVEL");

  Debug("kept");

  EXPECT_EQ(OnlyLine()["level"], "debug");
}

TEST_F(LogTest, UnknownLevelInTheEnvironmentIsReported) {
  setenv("SLIPWAY_LOG_LEVEL", "loud", 1);
  Init("ledger");
  unsetenv("SLIPWAY_LOG_LEVEL");

  EXPECT_EQ(OnlyLine()["value"], "loud");
}

TEST_F(LogTest, ContextNestsAndEnds) {
  {
    const ScopedContext outer({.request_id = "request-1", .trace_id = "trace-1"});
    const ScopedContext inner({.request_id = "request-2"});
    Info("inside");
  }
  Info("outside");

  const Json inside = Json::parse(lines_[0]);
  EXPECT_EQ(inside["request_id"], "request-2");
  EXPECT_EQ(inside["trace_id"], "trace-1");
  EXPECT_FALSE(Json::parse(lines_[1]).contains("request_id"));
}

TEST_F(LogTest, ContextBelongsToItsThread) {
  const ScopedContext context({.request_id = "request-1"});

  std::thread([] { Info("other thread"); }).join();

  EXPECT_FALSE(OnlyLine().contains("request_id"));
}

TEST_F(LogTest, LinesOfManyThreadsDoNotMix) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int j = 0; j < 250; ++j) Info("line", {{"thread", i}, {"index", j}});
    });
  }
  for (std::thread& thread : threads) thread.join();

  ASSERT_EQ(lines_.size(), 1'000u);
  for (const std::string& line : lines_) EXPECT_TRUE(Json::accept(line)) << line;
}

TEST(LogToStderrTest, WritesOneLine) {
  ::testing::internal::CaptureStderr();
  Init("ledger", {.level = Level::kInfo});
  Info("to stderr");
  const std::string written = ::testing::internal::GetCapturedStderr();

  EXPECT_THAT(written, ::testing::EndsWith("\"message\":\"to stderr\"}\n"));
  EXPECT_TRUE(Json::accept(written));
}

}  // namespace
}  // namespace slipway::log
