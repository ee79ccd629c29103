#pragma once

#include <string>
#include <vector>

#include "services/reviewer/domain/change.h"

namespace slipway::reviewer {

// What an agent is told about failed validators: each with its failures by name and the beginning
// and the end of its output, at most kFeedbackBytesMax. Empty when all passed.
std::string FeedbackOf(const std::vector<ValidatorResult>& results);

// One line for each validator, without times: for a critic.
// The same for validators that ran more than once on one tree: what the last run failed by, and
// what only earlier ones failed by. `failures` are oldest first and not empty.
std::string FeedbackOfRuns(const std::vector<Evidence>& failures);

// Validators that failed in one of `failures` and passed in another run: in one of those, or in
// `last` when it is given.
std::vector<std::string> FlakyIn(const std::vector<Evidence>& failures,
                                 const std::vector<ValidatorResult>& last);

std::string SummaryOf(const std::vector<ValidatorResult>& results);

}  // namespace slipway::reviewer
