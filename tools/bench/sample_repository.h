#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway::bench {

struct GitRun {
  std::string directory;
  std::vector<std::string> arguments;
  std::string input = {};
  std::string index = {};  // Used in place of the repository's.
};

// Runs git without configuration of the machine; its trimmed output.
absl::StatusOr<std::string> RunGit(const GitRun& run);

// A generated history of one commit whose files are edited again and again. Not thread-safe.
class SampleRepository final {
 public:
  // Fills the new repository `path`, without a work tree, with `files` files of some 600 bytes in
  // directories of 100, on branch main.
  static absl::Status Make(const std::string& path, int files);

  explicit SampleRepository(int files) : files_(files) {}

  // The next change: a diff of three files of different directories, on the state that all changes
  // before it led to.
  std::string NextPatch();

 private:
  int files_;
  int next_ = 0;
  std::map<int, int> versions_;  // Of files that were edited.
};

}  // namespace slipway::bench
