#include "cli/supervisor/trial_directory.h"

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "cli/client/data_directory.h"
#include "cli/supervisor/workspace_place.h"
#include "lib/base/error.h"
#include "lib/base/file.h"

namespace slipway::cli {
namespace {

// Sockets lie in the data directory, and their paths have room for little more than this.
constexpr size_t kTemporaryPathBytesMax = 40;

}  // namespace

absl::StatusOr<TrialDirectory> TrialDirectory::Make(absl::string_view command,
                                                    const std::string& path, bool keep) {
  std::error_code error;
  if (!path.empty()) {
    if (std::filesystem::exists(path, error) && !std::filesystem::is_empty(path, error)) {
      return base::Error(
          absl::StatusCode::kFailedPrecondition, "DATA_DIRECTORY_NOT_EMPTY",
          absl::StrCat("the ", command, " needs a new directory, and ", path, " is not empty"),
          {{"data", path}});
    }
    return TrialDirectory(std::filesystem::absolute(path).lexically_normal(), /*keep=*/true);
  }
  std::string parent = std::filesystem::temp_directory_path(error);
  if (error || parent.size() > kTemporaryPathBytesMax) parent = "/tmp";
  std::string pattern = absl::StrCat(parent, "/slipway-", command, "-XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr) return base::ErrnoStatus(errno, pattern);
  return TrialDirectory(pattern, keep);
}

TrialDirectory::TrialDirectory(TrialDirectory&& other) noexcept
    : path_(std::exchange(other.path_, "")), keep_(other.keep_) {}

TrialDirectory::~TrialDirectory() {
  if (path_.empty() || keep_) return;
  // It may lie elsewhere, see there.
  base::RemoveTree(WorkspaceDirectory(DataDirectory(path_))).IgnoreError();
  base::RemoveTree(path_).IgnoreError();
}

}  // namespace slipway::cli
