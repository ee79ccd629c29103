#pragma once

#include <string>
#include <vector>

#include "services/reviewer/domain/change.h"

namespace slipway::reviewer {

// What an agent is told about failed validators: each with its failures by name and the end of its
// output, at most kFeedbackBytesMax. Empty when all passed.
std::string FeedbackOf(const std::vector<ValidatorResult>& results);

// One line for each validator, without times: for a critic.
std::string SummaryOf(const std::vector<ValidatorResult>& results);

}  // namespace slipway::reviewer
