#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::cli {

// The data directory of a suite that runs for one command only: new, and removed with its content
// at the end unless it is kept.
class TrialDirectory final {
 public:
  // `path`, which must be empty or missing and is kept; without a path a temporary one whose name
  // holds `command`. FAILED_PRECONDITION (DATA_DIRECTORY_NOT_EMPTY).
  static absl::StatusOr<TrialDirectory> Make(absl::string_view command, const std::string& path,
                                             bool keep);

  TrialDirectory(TrialDirectory&& other) noexcept;
  ~TrialDirectory();

  const std::string& path() const { return path_; }
  bool keep() const { return keep_; }

 private:
  TrialDirectory(std::string path, bool keep) : path_(std::move(path)), keep_(keep) {}

  std::string path_;
  const bool keep_;
};

}  // namespace slipway::cli
