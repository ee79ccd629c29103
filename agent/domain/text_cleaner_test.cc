#include "agent/domain/text_cleaner.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::agent {
namespace {

std::string Clean(TextCleaner cleaner, absl::string_view text, size_t piece) {
  std::string clean;
  for (size_t from = 0; from < text.size(); from += piece) {
    clean += cleaner.Feed(text.substr(from, piece));
  }
  return clean + cleaner.Finish();
}

TEST(TextCleanerTest, GivesTheSameHoweverTheStreamIsCut) {
  const std::string text =
      "plain \x1b[1;31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;http://x\x1b\\link\x1b(B\r\n"
      "key sk-abc, sk-ab, sk-abcsk-abc\x01 \x7f end";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_EQ(Clean(TextCleaner({"sk-abc"}), text, piece),
              "plain red  link\nkey [redacted], sk-ab, [redacted][redacted] "
              " end");
  }
}

TEST(TextCleanerTest, HoldsBackOnlyWhatMayBeASecret) {
  TextCleaner cleaner({"sk-abc"});

  EXPECT_EQ(cleaner.Feed("waits for sk-"), "waits for ");
  EXPECT_EQ(cleaner.Feed("no"), "sk-no");
  EXPECT_EQ(cleaner.Finish(), "");
}

TEST(TextCleanerTest, AnOpenSequenceEndsWithItsLine) {
  EXPECT_EQ(Clean(TextCleaner(), "a\x1b[12\nb\x1b]title\nc", 3), "a\nbc");
}

TEST(TextCleanerTest, KeepsUtf8) {
  EXPECT_EQ(Clean(TextCleaner(), "gr\xc3\xbc\xc3\x9f", 1), "gr\xc3\xbc\xc3\x9f");
}

}  // namespace
}  // namespace slipway::agent
