#include "services/reviewer/domain/feedback.h"

#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

std::string EndOf(const ValidatorResult& result) {
  if (result.passed) return "passed";
  if (result.timed_out) return "ran out of time";
  return absl::StrCat("failed with exit code ", result.exit_code);
}

}  // namespace

std::string FeedbackOf(const std::vector<ValidatorResult>& results) {
  constexpr size_t kTailBytesMax = 8 << 10;
  std::string text;
  for (const ValidatorResult& result : results) {
    if (result.passed) continue;
    absl::StrAppend(&text, "The validator \"", result.validator, "\" ", EndOf(result), ".\n");
    for (const std::string& failure : result.failures) {
      absl::StrAppend(&text, "  failed: ", failure, "\n");
    }
    if (result.output_tail.empty()) continue;
    absl::string_view tail = result.output_tail;
    if (tail.size() > kTailBytesMax) tail.remove_prefix(tail.size() - kTailBytesMax);
    absl::StrAppend(&text, "The end of its output:\n", tail, tail.back() == '\n' ? "" : "\n");
  }
  return base::ToUtf8(text, kFeedbackBytesMax);
}

std::string SummaryOf(const std::vector<ValidatorResult>& results) {
  std::string text;
  for (const ValidatorResult& result : results) {
    absl::StrAppend(&text, result.validator, ": ", EndOf(result), "\n");
  }
  return text;
}

}  // namespace slipway::reviewer
