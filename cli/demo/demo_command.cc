#include "cli/demo/demo_command.h"

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/demo/demo_run.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/signals.h"

namespace slipway::cli {
namespace {

struct DemoOptions {
  std::string example;
  bool keep = false;
};

// Sockets lie in the data directory, and their paths have room for little more than this.
constexpr size_t kTemporaryPathBytesMax = 40;

// A new directory that is removed with its content, unless it is kept.
class DemoDirectory final {
 public:
  // In `path`, which must be empty or missing; a temporary one when no path is given.
  static absl::StatusOr<DemoDirectory> Make(const std::string& path, bool keep) {
    if (!path.empty()) {
      std::error_code error;
      if (std::filesystem::exists(path, error) && !std::filesystem::is_empty(path, error)) {
        return base::Error(
            absl::StatusCode::kFailedPrecondition, "DATA_DIRECTORY_NOT_EMPTY",
            absl::StrCat("the demo needs a new directory, and ", path, " is not empty"),
            {{"data", path}});
      }
      return DemoDirectory(std::filesystem::absolute(path).lexically_normal(), /*keep=*/true);
    }
    std::error_code error;
    std::string parent = std::filesystem::temp_directory_path(error);
    if (error || parent.size() > kTemporaryPathBytesMax) parent = "/tmp";
    std::string pattern = absl::StrCat(parent, "/slipway-demo-XXXXXX");
    if (mkdtemp(pattern.data()) == nullptr) return base::ErrnoStatus(errno, pattern);
    return DemoDirectory(pattern, keep);
  }

  DemoDirectory(DemoDirectory&& other) noexcept
      : path_(std::exchange(other.path_, "")), keep_(other.keep_) {}
  ~DemoDirectory() {
    if (!path_.empty() && !keep_) base::RemoveTree(path_).IgnoreError();
  }

  const std::string& path() const { return path_; }
  bool keep() const { return keep_; }

 private:
  DemoDirectory(std::string path, bool keep) : path_(std::move(path)), keep_(keep) {}

  std::string path_;
  const bool keep_;
};

absl::StatusOr<ExitCode> Demo(const DemoOptions& options, Invocation& invocation) {
  rpc::PrepareProcess();  // An interrupted demo stops its services and removes its data.
  ASSIGN_OR_RETURN(Sample sample, FindSample(options.example));
  ASSIGN_OR_RETURN(const DemoDirectory directory,
                   DemoDirectory::Make(invocation.options().target.data, options.keep));
  Output& output = invocation.output();
  DemoDisplay display(output, invocation.clock());
  absl::StatusOr<DemoSummary> summary =
      DemoRun(DataDirectory(directory.path()), std::move(sample), display, invocation.clock())
          .Run();
  if (!summary.ok()) {
    if (directory.keep()) output.Progress(absl::StrCat("the data is in ", directory.path()));
    return summary.status();
  }
  if (directory.keep()) summary->data = directory.path();
  if (output.json()) output.Line(summary->Json());
  display.ShowEnd(*summary);
  return summary->Problems().empty() ? ExitCode::kOk : ExitCode::kFailed;
}

}  // namespace

void AddDemoCommand(CommandSet& commands) {
  const auto options = std::make_shared<DemoOptions>();
  CLI::App& command = commands.Add(
      "demo", "Drive a sample project from its spec to merged code, without a key or a network",
      [options](Invocation& invocation) { return Demo(*options, invocation); });
  command.add_option("--example", options->example, "Directory of the sample");
  command.add_flag("--keep", options->keep, "Keep the data directory, to look into it");
}

}  // namespace slipway::cli
