#include "tools/bench/sample_repository.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lib/base/process.h"
#include "lib/base/status_macros.h"
#include "lib/patch/renderer.h"

namespace slipway::bench {
namespace {

constexpr int kFilesOfDirectory = 100;
constexpr int kDirectoriesOfDirectory = 50;
constexpr int kFilesOfChange = 3;

std::string PathOf(int file) {
  const int directory = file / kFilesOfDirectory;
  return absl::StrFormat("part%02d/module%04d/file%06d.py", directory / kDirectoriesOfDirectory,
                         directory, file);
}

std::string ContentOf(int file, int version) {
  std::string content = absl::StrCat("# Module ", file, "\n");
  for (int line = 0; line < 20; ++line) {
    absl::StrAppend(&content, "value_", line, " = compute(", file, ", ",
                    line == 10 ? version : line, ")\n");
  }
  return content;
}

}  // namespace

absl::StatusOr<std::string> RunGit(const GitRun& run) {
  std::vector<std::string> argv = {"git", "-c", "gc.auto=0", "-c", "maintenance.auto=false"};
  argv.insert(argv.end(), run.arguments.begin(), run.arguments.end());
  base::Process::Options options{.argv = std::move(argv),
                                 .env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                         {"HOME", "/nonexistent"},
                                         {"GIT_CONFIG_NOSYSTEM", "1"},
                                         {"GIT_AUTHOR_NAME", "Ada"},
                                         {"GIT_AUTHOR_EMAIL", "ada@example.com"},
                                         {"GIT_COMMITTER_NAME", "Ada"},
                                         {"GIT_COMMITTER_EMAIL", "ada@example.com"}},
                                 .directory = run.directory};
  if (!run.index.empty()) options.env["GIT_INDEX_FILE"] = run.index;
  ASSIGN_OR_RETURN(const base::CommandResult result,
                   base::RunCommand(std::move(options), absl::Minutes(10), run.input));
  if (!result.exit.ok() || result.timed_out) {
    return absl::InternalError(
        absl::StrCat("git ", absl::StrJoin(run.arguments, " "), ": ", result.err));
  }
  return std::string(absl::StripAsciiWhitespace(result.out));
}

absl::Status SampleRepository::Make(const std::string& path, int files) {
  RETURN_IF_ERROR(
      RunGit({.directory = "/", .arguments = {"init", "-q", "--bare", "-b", "main", path}})
          .status());
  std::string stream =
      "commit refs/heads/main\ncommitter Ada <ada@example.com> 1700000000 +0000\n"
      "data 6\nStart\n\n";
  for (int file = 0; file < files; ++file) {
    const std::string content = ContentOf(file, 0);
    absl::StrAppend(&stream, "M 100644 inline ", PathOf(file), "\ndata ", content.size(), "\n",
                    content, "\n");
  }
  return RunGit({.directory = path, .arguments = {"fast-import", "--quiet"}, .input = stream})
      .status();
}

std::string SampleRepository::NextPatch() {
  std::vector<patch::FileDiff> diffs;
  for (int i = 0; i < kFilesOfChange; ++i) {
    // Steps that share no factor with usual sizes visit files far from each other.
    const int file = static_cast<int>((int64_t{next_} * 7'919 + int64_t{i} * files_ / 3) % files_);
    int& version = versions_[file];
    const int before = version;
    version = 1'000 + next_;
    diffs.push_back(
        {.path = PathOf(file),
         .before = patch::FileState{.mode = patch::kRegular, .content = ContentOf(file, before)},
         .after = patch::FileState{.mode = patch::kRegular, .content = ContentOf(file, version)}});
  }
  ++next_;
  return patch::RenderUnified(diffs);
}

}  // namespace slipway::bench
