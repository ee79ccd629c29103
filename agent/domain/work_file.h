#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/domain/grant.h"

namespace slipway::agent {

// What the supervisor tells the runner, as the file work.json in the run directory.
struct WorkFile {
  std::string commit;
  WriteOrder order;  // Without model_key, model_proxy and validators.
  // What is wrong with the change that the last runner of this attempt wrote; empty for the first.
  std::string findings;
};

std::string EncodeWorkFile(const WorkFile& work);

// WorkFileInvalid when a field is missing.
absl::StatusOr<WorkFile> DecodeWorkFile(absl::string_view json);

}  // namespace slipway::agent
