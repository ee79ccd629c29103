#include "cli/demo/sample.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/supervisor/suite.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kSample[] = "examples/tally";
constexpr char kPrices[] = "data/prices/default.yaml";
// A build directory is at most that deep in its source tree: build/bin.
constexpr int kParentsMax = 4;

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

absl::Status SampleMissing(const std::string& path) {
  return base::Error(
      absl::StatusCode::kNotFound, "SAMPLE_MISSING",
      absl::StrCat("there is no ", path, "; name the directory of the sample with --example"),
      {{"path", path}});
}

// `relative` in the source tree above the program, or in the share directory beside it.
absl::StatusOr<fs::path> FindShared(const char* relative) {
  fs::path at = ProgramDirectory();
  for (int i = 0; i < kParentsMax && at.has_relative_path(); ++i, at = at.parent_path()) {
    for (const fs::path& root : {at, at / "share" / "slipway"}) {
      if (Exists(root / relative)) return root / relative;
    }
  }
  return SampleMissing(relative);
}

}  // namespace

absl::StatusOr<Sample> FindSample(const std::string& directory) {
  fs::path sample;
  if (directory.empty()) {
    ASSIGN_OR_RETURN(sample, FindShared(kSample));
  } else {
    std::error_code error;
    sample = fs::absolute(directory, error);
  }
  ASSIGN_OR_RETURN(const fs::path prices, FindShared(kPrices));
  Sample found{.spec = sample / "spec.md",
               .script = sample / "script.json",
               .repository = sample / "repository",
               .prices = prices};
  for (const std::string& path : {found.spec, found.script, found.repository}) {
    if (!Exists(path)) return SampleMissing(path);
  }
  return found;
}

}  // namespace slipway::cli
