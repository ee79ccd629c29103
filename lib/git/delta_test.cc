#include "lib/git/delta.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "lib/git/git_fixture.h"

namespace slipway::git {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;

constexpr size_t kNoLimit = 1u << 30;

std::string RandomText(Random& random, size_t size) {
  std::string text;
  while (text.size() < size) text += absl::StrCat("line ", random.Below(1'000'000), "\n");
  return text;
}

// `text` with a few regions removed, replaced, moved or repeated.
std::string Edit(Random& random, std::string text) {
  for (uint32_t edits = random.Below(6); edits > 0 && !text.empty(); --edits) {
    const size_t at = random.Below(static_cast<uint32_t>(text.size()));
    const size_t size = random.Below(300);
    const std::string region = text.substr(at, size);
    switch (random.Below(4)) {
      case 0:
        text.erase(at, size);
        break;
      case 1:
        text.replace(at, size, RandomText(random, random.Below(200)));
        break;
      case 2:
        text.erase(at, size);
        text.insert(random.Below(static_cast<uint32_t>(text.size() + 1)), region);
        break;
      default:
        text.insert(at, region + region);
    }
  }
  return text;
}

TEST(DeltaTest, MakesTheTargetWhateverWasEdited) {
  int made = 0;
  for (int seed = 0; seed < 400; ++seed) {
    Random random(seed);
    const std::string base = RandomText(random, random.Below(40'000));
    const std::string target = Edit(random, base);
    const std::optional<std::string> delta = EncodeDelta(base, target);
    if (!delta.has_value()) continue;
    ++made;
    EXPECT_LT(delta->size(), target.size() / 2 + 1) << "seed " << seed;
    EXPECT_THAT(ApplyDelta(base, *delta, kNoLimit), IsOkAndHolds(target)) << "seed " << seed;
  }
  EXPECT_GT(made, 300);
}

TEST(DeltaTest, CopiesAcrossTheLargestInstruction) {
  Random random(7);
  std::string base;
  for (int i = 0; i < 300'000; ++i) base += static_cast<char>(random.Below(256));
  for (const size_t cut : {size_t{0}, size_t{65'535}, size_t{65'536}, size_t{65'537}}) {
    const std::string target = "new beginning" + base.substr(cut);
    const std::optional<std::string> delta = EncodeDelta(base, target);
    ASSERT_TRUE(delta.has_value());
    EXPECT_LT(delta->size(), 200u);
    EXPECT_THAT(ApplyDelta(base, *delta, kNoLimit), IsOkAndHolds(target));
  }
}

TEST(DeltaTest, AnUnrelatedTargetHasNone) {
  Random random(3);
  std::string base;
  std::string target;
  for (int i = 0; i < 10'000; ++i) base += static_cast<char>(random.Below(256));
  for (int i = 0; i < 10'000; ++i) target += static_cast<char>(random.Below(256));
  EXPECT_EQ(EncodeDelta(base, target), std::nullopt);
  EXPECT_EQ(EncodeDelta("", target), std::nullopt);
  EXPECT_EQ(EncodeDelta(base, ""), std::nullopt);
}

// The numbers that a hostile or damaged delta may hold.
TEST(DeltaTest, WhatIsNotWholeOrLeavesTheBaseIsRefused) {
  const std::string base = "0123456789abcdef";
  const auto apply = [&](absl::string_view delta, size_t size_max = kNoLimit) {
    return ApplyDelta(base, delta, size_max).status();
  };
  ASSERT_OK(apply({"\x10\x03\x91\x02\x03", 5}));
  for (const absl::string_view delta : {
           absl::string_view(""),
           absl::string_view("\x10"),                  // No target size.
           absl::string_view("\x80\x80"),              // A size that goes on.
           absl::string_view("\x0f\x03\x91\x02\x03"),  // Another base.
           absl::string_view("\x10\x04\x91\x02\x03"),  // Less than it says.
           absl::string_view("\x10\x02\x91\x02\x03"),  // More than it says.
           absl::string_view("\x10\x03\x91\x0e\x03"),  // Past the end of the base.
           absl::string_view("\x10\x03\x91\x11\x01"),  // From beyond the base.
           absl::string_view("\x10\x03\x91\x02"),      // A copy that is cut off.
           absl::string_view("\x10\x03\x03"
                             "ab"),               // An insertion that is cut off.
           absl::string_view("\x10\x03\x00", 3),  // The reserved instruction.
           absl::string_view("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
       }) {
    EXPECT_THAT(apply(delta), FailsWithReason("PACK_INVALID")) << absl::CEscape(delta);
  }
  EXPECT_THAT(apply("\x10\x03\x91\x02\x03", 2), FailsWithReason("PACK_INVALID"));
}

TEST(DeltaTest, DamagedDeltasNeverLeaveTheirBounds) {
  Random random(11);
  const std::string base = RandomText(random, 3'000);
  const std::optional<std::string> delta = EncodeDelta(base, Edit(random, base));
  ASSERT_TRUE(delta.has_value());
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = *delta;
    for (uint32_t n = 1 + random.Below(3); n > 0; --n) {
      damaged[random.Below(static_cast<uint32_t>(damaged.size()))] =
          static_cast<char>(random.Below(256));
    }
    const absl::StatusOr<std::string> target = ApplyDelta(base, damaged, 100'000);
    if (target.ok()) {
      EXPECT_LE(target->size(), 100'000u);
    }
  }
}

}  // namespace
}  // namespace slipway::git
