#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/domain/policy.h"

// How values are stored: as JSON, in which a missing member has its default, so that older
// documents stay readable. Reading fails with STORED_FORM_INVALID.
namespace slipway::reviewer {

std::string StoredPolicy(const ProjectPolicy& policy);
absl::StatusOr<ProjectPolicy> PolicyFromStored(absl::string_view text);

std::string StoredFindings(const std::vector<Finding>& findings);
absl::StatusOr<std::vector<Finding>> FindingsFromStored(absl::string_view text);

std::string StoredResults(const std::vector<ValidatorResult>& results);
absl::StatusOr<std::vector<ValidatorResult>> ResultsFromStored(absl::string_view text);

std::string StoredTexts(const std::vector<std::string>& texts);
absl::StatusOr<std::vector<std::string>> TextsFromStored(absl::string_view text);

// SHA-256 of the validators, in order and whole: evidence is kept by tree and digest. Empty when
// there are none.
std::string ValidatorDigest(const std::vector<Validator>& validators);

}  // namespace slipway::reviewer
