#pragma once

#include <cstdlib>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace slipway::testkit {

// Whether this is continuous integration (the environment variable CI is "true"), where what tests
// need is there: a test that is skipped there cannot fail.
inline bool IsContinuousIntegration() {
  const char* const ci = std::getenv("CI");
  return ci != nullptr && absl::string_view(ci) == "true";
}

}  // namespace slipway::testkit

// Ends a test for lack of what this machine does not have: skipped on a developer's machine, failed
// in continuous integration. For the bodies of tests and SetUp.
#define SLIPWAY_NEEDS(condition, what)                    \
  if (condition) {                                        \
  } else if (slipway::testkit::IsContinuousIntegration()) \
    FAIL() << what;                                       \
  else                                                    \
    GTEST_SKIP() << what
