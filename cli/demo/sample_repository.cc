#include "cli/demo/sample_repository.h"

#include <cstdlib>
#include <map>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/process.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

// A sample's clone, commit and tests take well under a second each.
constexpr absl::Duration kCommandTimeout = absl::Minutes(1);
constexpr char kAuthorDate[] = "2026-01-01T00:00:00Z";

// Nothing of the user's or the machine's configuration, so that everybody gets the same commit.
std::map<std::string, std::string> Environment() {
  const char* const path = std::getenv("PATH");
  return {{"PATH", path != nullptr ? path : "/usr/bin:/bin"},
          {"HOME", "/nonexistent"},
          {"LC_ALL", "C.UTF-8"},
          {"GIT_CONFIG_NOSYSTEM", "1"},
          {"GIT_CONFIG_GLOBAL", "/dev/null"},
          {"GIT_AUTHOR_NAME", "Tally's author"},
          {"GIT_AUTHOR_EMAIL", "author@tally.example"},
          {"GIT_AUTHOR_DATE", kAuthorDate},
          {"GIT_COMMITTER_NAME", "Tally's author"},
          {"GIT_COMMITTER_EMAIL", "author@tally.example"},
          {"GIT_COMMITTER_DATE", kAuthorDate},
          {"PYTHONDONTWRITEBYTECODE", "1"}};
}

absl::StatusOr<base::CommandResult> Run(std::vector<std::string> command,
                                        const std::string& directory) {
  return base::RunCommand(
      {.argv = std::move(command), .env = Environment(), .directory = directory}, kCommandTimeout);
}

absl::StatusOr<std::string> Git(std::vector<std::string> arguments) {
  std::vector<std::string> command = {"git"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  ASSIGN_OR_RETURN(const base::CommandResult result, Run(command, "/"));
  if (result.exit.ok() && !result.timed_out) return result.out;
  return base::Error(absl::StatusCode::kFailedPrecondition, "COMMAND_FAILED",
                     absl::StrCat(absl::StrJoin(command, " "), ": ",
                                  result.timed_out ? "took too long" : result.err),
                     {{"command", absl::StrJoin(command, " ")}});
}

// "Ran 17 tests in 0.012s" is how Python's unittest sums up.
int TestsRun(const std::string& output) {
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    if (!absl::ConsumePrefix(&line, "Ran ")) continue;
    int tests = 0;
    if (absl::SimpleAtoi(line.substr(0, line.find(' ')), &tests)) return tests;
  }
  return 0;
}

}  // namespace

absl::StatusOr<SampleRepository> SampleRepository::Create(std::string path,
                                                          const std::string& files) {
  const std::string git_dir = absl::StrCat("--git-dir=", path);
  const std::string work_tree = absl::StrCat("--work-tree=", files);
  RETURN_IF_ERROR(
      Git({"init", "--quiet", "--bare", absl::StrCat("--initial-branch=", kBranch), path})
          .status());
  RETURN_IF_ERROR(Git({"-C", files, git_dir, work_tree, "add", "--all"}).status());
  RETURN_IF_ERROR(
      Git({"-C", files, git_dir, work_tree, "commit", "--quiet", "-m", "Keep expenses in a file"})
          .status());
  return SampleRepository(std::move(path));
}

absl::StatusOr<std::string> SampleRepository::Resolve(const std::string& revision) const {
  ASSIGN_OR_RETURN(const std::string id,
                   Git({absl::StrCat("--git-dir=", path_), "rev-parse", "--verify", revision}));
  return std::string(absl::StripSuffix(id, "\n"));
}

absl::StatusOr<std::string> SampleRepository::Log(int lines_max) const {
  return Git({absl::StrCat("--git-dir=", path_), "log", "--graph", "--format=%h %s",
              absl::StrCat("-", lines_max), kBranch});
}

absl::StatusOr<TestRun> SampleRepository::CloneAndTest(const std::string& directory) const {
  RETURN_IF_ERROR(
      Git({"clone", "--quiet", "--no-hardlinks", "--branch", kBranch, path_, directory}).status());
  ASSIGN_OR_RETURN(const base::CommandResult result, Run({"python3", "-m", "unittest"}, directory));
  const std::string output = absl::StrCat(result.out, result.err);
  return TestRun{
      .passed = result.exit.ok() && !result.timed_out, .tests = TestsRun(output), .output = output};
}

}  // namespace slipway::cli
