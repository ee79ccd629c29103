#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace slipway::cli {

// The sample project of the demo: all its paths are absolute and exist.
struct Sample {
  std::string spec;        // What its author wants.
  std::string script;      // What the scripted provider replies.
  std::string repository;  // The files that the work starts from.
  std::string prices;      // With those of the scripted provider.
};

// Finds the sample in `directory`, or, when that is empty, in the source tree or installation that
// this program belongs to. NOT_FOUND (SAMPLE_MISSING).
absl::StatusOr<Sample> FindSample(const std::string& directory);

}  // namespace slipway::cli
