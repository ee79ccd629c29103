#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway::cli {

// What the sample's own test suite said.
struct TestRun {
  bool passed = false;
  int tests = 0;       // How many ran.
  std::string output;  // As it was printed.
};

// A bare repository on this machine that the demo works on, through the git command line and
// without the user's configuration. Blocks. Errors are FAILED_PRECONDITION (COMMAND_FAILED).
class SampleRepository final {
 public:
  static constexpr char kBranch[] = "main";

  // Makes one at `path`, which must not exist, whose first commit holds the files below `files`.
  // The same files give the same commit.
  static absl::StatusOr<SampleRepository> Create(std::string path, const std::string& files);

  const std::string& path() const { return path_; }

  // The object that `revision` names.
  absl::StatusOr<std::string> Resolve(const std::string& revision) const;

  // The newest commits of the branch as a graph, a line each, at most `lines_max`.
  absl::StatusOr<std::string> Log(int lines_max) const;

  // Clones the branch to `directory`, which must not exist, and runs its tests there.
  absl::StatusOr<TestRun> CloneAndTest(const std::string& directory) const;

 private:
  explicit SampleRepository(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace slipway::cli
