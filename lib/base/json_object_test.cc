#include "lib/base/json_object.h"

#include <gtest/gtest.h>

namespace slipway::base {
namespace {

TEST(JsonObject, MembersKeepTheirOrder) {
  EXPECT_EQ(
      JsonObject()
          .Add("to", "READY")
          .Add("epoch", int64_t{-3})
          .Add("ok", true)
          .Add("all", std::vector<std::string>{"a", "b\"c"})
          .Add("counts", std::map<std::string, int>{{"agent", 2}})
          .AddJson("none", "null")
          .Take(),
      R"({"to":"READY","epoch":-3,"ok":true,"all":["a","b\"c"],"counts":{"agent":2},"none":null})");
  EXPECT_EQ(JsonObject().Take(), "{}");
}

TEST(JsonObject, WhatStringsMayNotHoldIsEscaped) {
  std::string text;
  AppendJsonString(text, absl::string_view("\"\\\n\r\t\0\x1f/", 8));
  EXPECT_EQ(text, R"("\"\\\n\r\t\u0000\u001f/")");
}

TEST(JsonObject, EachByteIsWrittenAlikeWhereverInATextItIs) {
  for (int code = 0; code < 256; ++code) {
    const std::string byte(1, static_cast<char>(code));
    std::string alone;
    AppendJsonString(alone, byte);
    for (size_t at = 0; at <= 17; ++at) {
      const std::string before(at, '~');
      const std::string after(17 - at, ' ');
      std::string text;
      AppendJsonString(text, before + byte + after);
      EXPECT_EQ(text, "\"" + before + alone.substr(1, alone.size() - 2) + after + "\"")
          << "byte " << code << " at " << at;
    }
  }
}

TEST(JsonObject, WhatIsNoUtf8IsReplacedByteForByte) {
  std::string text;
  AppendJsonString(text, "\xC3\xA4|\xFF|\xC0\xAF|\xED\xA0\x80");
  EXPECT_EQ(text,
            "\"\xC3\xA4|\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD|"
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace slipway::base
