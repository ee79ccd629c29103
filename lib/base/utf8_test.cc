#include "lib/base/utf8.h"

#include <gtest/gtest.h>

namespace slipway::base {
namespace {

TEST(Utf8Test, WellFormedTextIsKept) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x9A\xA2\xF4\x8F\xBF\xBF";
  EXPECT_EQ(ToUtf8(text, 100), text);
}

TEST(Utf8Test, EveryStrayByteIsReplaced) {
  EXPECT_EQ(ToUtf8("a\xFF\x80z", 100), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
}

TEST(Utf8Test, MalformedSequencesHaveNoLength) {
  for (const char* text :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xC3", "\xC3(", "\xE2(\xA1"}) {
    EXPECT_EQ(Utf8SequenceLength(text), 0u);
  }
}

TEST(Utf8Test, CutNeverSplitsACharacter) {
  EXPECT_EQ(ToUtf8("ab\xE2\x82\xAC", 4), "ab");
  EXPECT_EQ(ToUtf8("ab\xE2\x82\xAC", 5), "ab\xE2\x82\xAC");
  EXPECT_EQ(ToUtf8("ab", 0), "");
}

}  // namespace
}  // namespace slipway::base
