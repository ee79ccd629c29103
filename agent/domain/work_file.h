#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/domain/grant.h"

namespace slipway::agent {

// What the supervisor tells the runner, as the file work.json in the run directory.
struct WorkFile {
  std::string commit;
  WriteOrder order;  // Without model_key and model_proxy.
};

std::string EncodeWorkFile(const WorkFile& work);

// WorkFileInvalid when a field is missing.
absl::StatusOr<WorkFile> DecodeWorkFile(absl::string_view json);

}  // namespace slipway::agent
