#include "services/reviewer/domain/feedback.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "lib/base/head_and_tail.h"
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
  // Compilers tell the cause first, tests last.
  constexpr size_t kOutputBytesMax = 8 << 10;
  constexpr size_t kHeadBytes = 3 << 10;
  std::string text;
  for (const ValidatorResult& result : results) {
    if (result.passed) continue;
    absl::StrAppend(&text, "The validator \"", result.validator, "\" ", EndOf(result), ".\n");
    for (const std::string& failure : result.failures) {
      absl::StrAppend(&text, "  failed: ", failure, "\n");
    }
    if (result.output_tail.empty()) continue;
    const std::string output =
        base::HeadAndTail(base::ToUtf8(result.output_tail, result.output_tail.size() * 3),
                          kHeadBytes, kOutputBytesMax);
    absl::StrAppend(&text, "Its output:\n", output, output.back() == '\n' ? "" : "\n");
  }
  return base::ToUtf8(text, kFeedbackBytesMax);
}

std::vector<std::string> FlakyIn(const std::vector<Evidence>& failures,
                                 const std::vector<ValidatorResult>& last) {
  std::set<std::string> failed;
  std::set<std::string> passed;
  const auto sort = [&](const std::vector<ValidatorResult>& results) {
    for (const ValidatorResult& result : results) {
      (result.passed ? passed : failed).insert(result.validator);
    }
  };
  for (const Evidence& evidence : failures) sort(evidence.results);
  sort(last);
  std::vector<std::string> flaky;
  std::set_intersection(failed.begin(), failed.end(), passed.begin(), passed.end(),
                        std::back_inserter(flaky));
  return flaky;
}

std::string FeedbackOfRuns(const std::vector<Evidence>& failures) {
  if (failures.empty()) return "";
  std::string text;
  if (failures.size() > 1) {
    absl::StrAppend(&text, "The validators ran ", failures.size(), " times on this tree.\n");
    for (const std::string& name : FlakyIn(failures, {})) {
      absl::StrAppend(&text, "The validator \"", name,
                      "\" is flaky: it failed in one run and passed in another.\n");
    }
  }
  return base::ToUtf8(absl::StrCat(text, FeedbackOf(failures.back().results)), kFeedbackBytesMax);
}

std::string SummaryOf(const std::vector<ValidatorResult>& results) {
  std::string text;
  for (const ValidatorResult& result : results) {
    absl::StrAppend(&text, result.validator, ": ", EndOf(result), "\n");
  }
  return text;
}

}  // namespace slipway::reviewer
