#include "lib/base/utf8.h"

#include <gtest/gtest.h>

#include "lib/base/head_and_tail.h"

namespace slipway::base {
namespace {

TEST(HeadAndTailTest, WhatFitsIsKept) { EXPECT_EQ(HeadAndTail("all of it", 4, 9), "all of it"); }

TEST(HeadAndTailTest, TheMiddleIsLeftOutAndCounted) {
  const std::string text = "begin" + std::string(1'000, 'x') + "end";
  const std::string cut = HeadAndTail(text, 5, 100);
  EXPECT_LE(cut.size(), 100u);
  EXPECT_GT(cut.size(), 90u);
  EXPECT_EQ(cut.rfind("begin\n[", 0), 0u) << cut;
  EXPECT_EQ(cut.substr(cut.size() - 3), "end");
  const size_t kept = cut.size() - LeftOut(900).size();
  EXPECT_NE(cut.find(LeftOut(text.size() - kept)), std::string::npos) << cut;
}

TEST(HeadAndTailTest, CharactersStayWhole) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "\xE2\x82\xAC";
  for (size_t head = 9; head < 15; ++head) {
    const std::string cut = HeadAndTail(text, head, 101 + head);
    EXPECT_EQ(ToUtf8(cut, 10'000), cut) << head;
  }
}

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
