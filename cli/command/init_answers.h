#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/command/invocation.h"
#include "slipway/planner/v1/project.pb.h"

namespace slipway::cli {

// What `slipway init` asks; what is set was given as an option and is not asked.
struct InitAnswers {
  std::optional<std::string> id;
  std::optional<std::string> title;
  std::optional<std::string> repository;
  std::optional<std::string> branch;
  std::optional<std::string> plan_tier;
  std::optional<std::string> validators;   // "name=command; name=command"; "none".
  std::optional<std::string> budget;       // Dollars in a month; "none".
  std::optional<std::string> integration;  // "branch", "merge", "none".
};

// A project and its first limit.
struct InitResult {
  planner::v1::Project project;
  std::optional<int64_t> month_limit_usd_nanos;
};

// Asks what is open, with a default for each question, or takes the defaults when `ask` is not set.
// INVALID_ARGUMENT (ANSWER_MISSING) when a question has no default and is not answered, else what
// is wrong with an answer that was given as an option; a wrong answer of a person is asked again.
absl::StatusOr<InitResult> AnswerInit(const InitAnswers& answers, bool ask, Invocation& invocation);

}  // namespace slipway::cli
