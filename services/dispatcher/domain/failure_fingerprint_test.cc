#include "services/dispatcher/domain/failure_fingerprint.h"

#include <gtest/gtest.h>

namespace slipway::dispatcher {
namespace {

TEST(FailureFingerprintTest, WhatDiffersFromRunToRunIsLeftOut) {
  const char* const kPairs[][2] = {
      {"took 0.31s at 12:30:01", "took 12.9s at 09:01:59"},
      {"in /tmp/slipway-a81/test_x.py:12", "in /tmp/slipway-zz9/sub/test_x.py:840"},
      {"object 0x7ffe12 at 3fa94c2d1b", "object 0x1 at 99b1c0ffee"},
      {"\x1b[31mFAILED\x1b[0m  test_parse", "failed test_parse\n"},
      {"2026-11-21 run 4711: 3 failed", "2025-01-02 run 1: 9 failed"},
      {"a  b\n\n c", "a b c"},
  };
  for (const auto& [one, other] : kPairs) {
    EXPECT_EQ(NormalisedFailure(one), NormalisedFailure(other));
    EXPECT_EQ(FingerprintOf("R", one), FingerprintOf("R", other));
  }
}

TEST(FailureFingerprintTest, WhatFailedIsKept) {
  const char* const kPairs[][2] = {
      {"FAILED test_parse", "FAILED test_print"},
      {"KeyError: 'name'", "KeyError: 'path'"},
      {"src/a.py does not compile", "src/b.py does not compile"},
      {"", "x"},
      {"deadbee", "defaced"},  // Words, not ids: no digit.
  };
  for (const auto& [one, other] : kPairs) {
    EXPECT_NE(FingerprintOf("R", one), FingerprintOf("R", other)) << one;
  }
  EXPECT_NE(FingerprintOf("TIMEOUT", "x"), FingerprintOf("STALLED", "x"));
}

TEST(FailureFingerprintTest, IsShortAndNeedsNoText) {
  EXPECT_EQ(FingerprintOf("R", "").size(), 16u);
  EXPECT_EQ(NormalisedFailure("\x1b["), "");
  EXPECT_EQ(NormalisedFailure("/tmp/"), "");
  EXPECT_EQ(FingerprintOf("R", std::string(1 << 20, 'x')),
            FingerprintOf("R", std::string(2 << 20, 'x')));
}

}  // namespace
}  // namespace slipway::dispatcher
