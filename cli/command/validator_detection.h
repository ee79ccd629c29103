#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "slipway/common/v1/policy.pb.h"

namespace slipway::cli {

// The validators that a repository seems to have, by the files in its work tree at `directory`:
// pytest or unittest, ctest, npm test, go test, cargo test. Empty when it says nothing.
std::vector<common::v1::Validator> DetectValidators(const std::string& directory);

// A validator as people write it: "NAME=COMMAND ARGUMENTS" or "COMMAND ARGUMENTS"; arguments are
// separated by blanks, "..." and '...' keep blanks. INVALID_ARGUMENT (ARGUMENT_INVALID).
absl::StatusOr<common::v1::Validator> ParseValidator(absl::string_view text);

// The reverse.
std::string ValidatorText(const common::v1::Validator& validator);

}  // namespace slipway::cli
