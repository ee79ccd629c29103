#include "services/models/domain/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/models/domain/limits.h"
#include "services/models/wire/request_reader.h"

namespace slipway::models {
namespace {

using ::testing::SizeIs;

struct ContentCase {
  const char* name;
  const char* text;
  const char* content;
};
class ContentOfPrompts : public ::testing::TestWithParam<ContentCase> {};

TEST_P(ContentOfPrompts, IsToldByItsCharacters) {
  EXPECT_EQ(ContentOf({.messages = {{Speaker::kUser, GetParam().text}}}), GetParam().content);
}

INSTANTIATE_TEST_SUITE_P(
    , ContentOfPrompts,
    ::testing::Values(ContentCase{"Nothing", "", "prose"},
                      ContentCase{"Prose", "Rename the function, and mind all its callers.",
                                  "prose"},
                      ContentCase{"Code", "for (int i = 0; i < n; ++i) { sum += a[i]; }", "code"},
                      ContentCase{"German", "Größe und Länge der Änderung prüfen", "prose"},
                      ContentCase{"Russian", "Переименуйте функцию", "other_scripts"},
                      ContentCase{"Japanese", "関数の名前を変えてください", "other_scripts"}),
    [](const auto& info) { return std::string(info.param.name); });

std::string ContentOfBody(const std::string& messages, const std::string& fields = "") {
  auto wire =
      ReadWireRequest(Dialect::kChat, R"({"model":"writer","messages":)" + messages + fields + "}");
  return ContentOf({.wire = std::make_shared<const WireRequest>(*std::move(wire))});
}

TEST(ContentTest, OfARequestIsToldByWhatItCarries) {
  EXPECT_EQ(ContentOfBody(R"([{"role":"user","content":"Rename the function, and its callers"}])"),
            "prose");
  EXPECT_EQ(ContentOfBody(R"([{"role":"user","content":"Rename it"}])",
                          R"(,"tools":[{"type":"function","function":{"name":"edit"}}])"),
            "tools");
  EXPECT_EQ(ContentOfBody(R"([{"role":"user","content":[{"type":"image_url",)"
                          R"("image_url":{"url":"https://example.org/a.png"}}]}])"),
            "pictures");
}

class CalibrationTest : public ::testing::Test {
 protected:
  void Learn(int64_t bound, int64_t counted, int64_t times = 1) {
    for (int64_t i = 0; i < times; ++i) calibration_.Learn({"p", "m", "code", bound, counted});
  }
  int64_t Hold(int64_t bound) { return calibration_.TokensToHold("p", "m", "code", bound); }

  Calibration calibration_{{}};
};

TEST_F(CalibrationTest, HoldsTheBoundWhileFewHaveTold) {
  Learn(1'000, 250, kCalibrationCallsMin - 1);
  EXPECT_EQ(Hold(10'000), 10'000);

  Learn(1'000, 250);

  EXPECT_LT(Hold(10'000), 10'000);
  EXPECT_EQ(calibration_.TokensToHold("p", "m", "prose", 10'000), 10'000);
  EXPECT_EQ(calibration_.TokensToHold("p", "other", "code", 10'000), 10'000);
}

TEST_F(CalibrationTest, HoldsTheWorstThatWasSeenAndAQuarterMore) {
  Learn(1'000, 200, kCalibrationCallsMin);
  Learn(1'000, 400);

  EXPECT_EQ(Hold(10'000), 10'000 * 4 / 10 * 5 / 4 + kTokensPerMessage);
}

TEST_F(CalibrationTest, NeverHoldsMoreThanTheBound) {
  Learn(1'000, 990, kCalibrationCallsMin);
  EXPECT_EQ(Hold(10'000), 10'000);
  Learn(10, 1'000'000'000'000);
  EXPECT_EQ(Hold(10'000), 10'000);
  EXPECT_EQ(Hold(5), 5);
}

TEST_F(CalibrationTest, AddsUpAndGoesOnFromWhatWasKnown) {
  Learn(1'000, 250);
  Learn(3'000, 1'001);

  Calibration next(calibration_.All());
  next.Learn({"p", "m", "code", 1'000, 100});

  ASSERT_THAT(next.All(), SizeIs(1));
  const InputCalibration all = next.All()[0];
  EXPECT_EQ(all.calls, 3);
  EXPECT_EQ(all.bound_tokens, 5'000);
  EXPECT_EQ(all.counted_tokens, 1'351);
  EXPECT_EQ(all.worst_per_mille, 334);
}

}  // namespace
}  // namespace slipway::models
