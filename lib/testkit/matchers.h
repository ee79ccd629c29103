#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/error.h"

namespace slipway::testkit {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "is an error" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

MATCHER_P(StatusIs, code, "") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code;
}

// Matches an error by the reason in its detail.
MATCHER_P(FailsWithReason, reason, "") {
  *result_listener << StatusOf(arg).ToString() << " with reason " << base::ReasonOf(StatusOf(arg));
  return !StatusOf(arg).ok() && base::ReasonOf(StatusOf(arg)) == reason;
}

MATCHER_P(IsOkAndHolds, value_matcher, "") {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  return ::testing::ExplainMatchResult(value_matcher, *arg, result_listener);
}

}  // namespace slipway::testkit

#define EXPECT_OK(expression) EXPECT_THAT((expression), ::slipway::testkit::IsOk())
#define ASSERT_OK(expression) ASSERT_THAT((expression), ::slipway::testkit::IsOk())

#define SLIPWAY_TESTKIT_CONCAT_INNER_(a, b) a##b
#define SLIPWAY_TESTKIT_CONCAT_(a, b) SLIPWAY_TESTKIT_CONCAT_INNER_(a, b)
#define ASSERT_OK_AND_ASSIGN(declaration, expression)                                            \
  SLIPWAY_ASSERT_OK_AND_ASSIGN_(SLIPWAY_TESTKIT_CONCAT_(slipway_result_, __LINE__), declaration, \
                                expression)
#define SLIPWAY_ASSERT_OK_AND_ASSIGN_(result, declaration, expression) \
  auto result = (expression);                                          \
  ASSERT_THAT(result, ::slipway::testkit::IsOk());                     \
  declaration = *std::move(result)
