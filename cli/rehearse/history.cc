#include "cli/rehearse/history.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/git/git_command.h"

namespace slipway::cli {
namespace {

constexpr size_t kSubjectBytesMax = 200;
constexpr size_t kErrorBytesMax = 500;

using Words = std::vector<std::string>;

absl::Status CommandFailed(const std::string& name, absl::string_view problem) {
  return base::Error(absl::StatusCode::kFailedPrecondition, "COMMAND_FAILED",
                     absl::StrCat("git ", name, " failed: ", base::ToUtf8(problem, kErrorBytesMax)),
                     {{"command", name}});
}

absl::Status NotARepository(const std::string& path, absl::string_view why) {
  return base::Error(
      absl::StatusCode::kFailedPrecondition, "NOT_A_REPOSITORY",
      absl::StrCat(path, " is not a git repository", why.empty() ? "" : absl::StrCat(": ", why)),
      {{"location", path}});
}

// What a command that must succeed prints, without the last line break.
absl::StatusOr<std::string> Git(git::GitCommand command) {
  const std::string name = command.arguments.front();
  ASSIGN_OR_RETURN(git::GitOutput output, git::RunGitCommand(std::move(command)));
  if (output.exit_code != 0 || output.truncated) return CommandFailed(name, output.err);
  if (!output.out.empty() && output.out.back() == '\n') output.out.pop_back();
  return std::move(output.out);
}

// Where the repository keeps what all its work trees share.
absl::StatusOr<std::string> FindCommonDirectory(const std::string& repository) {
  std::error_code error;
  if (!std::filesystem::is_directory(repository, error)) {
    return NotARepository(repository, "there is no such directory");
  }
  ASSIGN_OR_RETURN(const git::GitOutput output,
                   git::RunGitCommand(
                       {.directory = repository, .arguments = {"rev-parse", "--git-common-dir"}}));
  if (output.exit_code != 0) {
    return NotARepository(repository, base::ToUtf8(output.err, kErrorBytesMax));
  }
  const std::filesystem::path found(std::string(absl::StripSuffix(output.out, "\n")));
  return std::filesystem::weakly_canonical(std::filesystem::path(repository) / found, error)
      .string();
}

absl::Status CheckState(const History::Source& source, const std::string& common) {
  std::error_code error;
  if (std::filesystem::exists(common + "/shallow", error)) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "REPOSITORY_SHALLOW",
                       absl::StrCat("the history of ", source.repository,
                                    " is cut off: fetch the rest with git fetch --unshallow"),
                       {{"location", source.repository}});
  }
  if (source.allow_dirty) return absl::OkStatus();
  ASSIGN_OR_RETURN(const git::GitOutput bare,
                   git::RunGitCommand({.directory = source.repository,
                                       .arguments = {"rev-parse", "--is-bare-repository"}}));
  if (bare.out == "true\n") return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string changes,
                   Git({.directory = source.repository, .arguments = {"status", "--porcelain"}}));
  if (changes.empty()) return absl::OkStatus();
  return base::Error(absl::StatusCode::kFailedPrecondition, "REPOSITORY_DIRTY",
                     absl::StrCat(source.repository,
                                  " has changes that are not committed and would take no part: "
                                  "commit them, or rehearse without them with --allow-dirty"),
                     {{"location", source.repository}});
}

absl::StatusOr<std::string> FindTip(const History::Source& source) {
  const std::string revision = source.branch.empty()
                                   ? "HEAD^{commit}"
                                   : absl::StrCat("refs/heads/", source.branch, "^{commit}");
  ASSIGN_OR_RETURN(const git::GitOutput output,
                   git::RunGitCommand({.directory = source.repository,
                                       .arguments = {"rev-parse", "--verify", "--quiet",
                                                     "--end-of-options", revision}}));
  if (output.exit_code == 0) return std::string(absl::StripSuffix(output.out, "\n"));
  if (source.branch.empty()) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "REPOSITORY_EMPTY",
                       absl::StrCat(source.repository, " has no commits"),
                       {{"location", source.repository}});
  }
  return base::Error(absl::StatusCode::kFailedPrecondition, "BRANCH_MISSING",
                     absl::StrCat(source.repository, " has no branch ",
                                  base::ToUtf8(source.branch, kErrorBytesMax)),
                     {{"location", source.repository}});
}

}  // namespace

absl::StatusOr<History> History::Borrow(const Source& source, std::string path) {
  ASSIGN_OR_RETURN(const std::string common, FindCommonDirectory(source.repository));
  RETURN_IF_ERROR(CheckState(source, common));
  ASSIGN_OR_RETURN(const std::string tip, FindTip(source));
  RETURN_IF_ERROR(Git({.directory = "/",
                       .arguments = {"init", "--quiet", "--bare", "--template=",
                                     absl::StrCat("--initial-branch=", kBranch), path}})
                      .status());
  RETURN_IF_ERROR(base::MakeDirectories(path + "/objects/info"));
  RETURN_IF_ERROR(base::WriteFileAtomic(path + "/objects/info/alternates",
                                        absl::StrCat(common, "/objects\n"), 0644));
  RETURN_IF_ERROR(Git({.git_dir = path,
                       .directory = path,
                       .arguments = {"update-ref", absl::StrCat("refs/heads/", kBranch), tip}})
                      .status());
  return History(std::move(path));
}

absl::StatusOr<std::vector<HistoricCommit>> History::Newest(size_t count) const {
  // A field may hold anything but NUL; -z ends each record with one, too.
  ASSIGN_OR_RETURN(
      const std::string out,
      Git({.git_dir = path_,
           .directory = path_,
           .arguments = {"log", "-z", "--first-parent", "--min-parents=1", "--max-parents=1",
                         "--no-show-signature", "--encoding=UTF-8",
                         absl::StrCat("--max-count=", count), "--format=%H%x00%P%x00%T%x00%s",
                         absl::StrCat("refs/heads/", kBranch), "--"}}));
  std::vector<HistoricCommit> commits;
  if (out.empty()) return commits;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::StripSuffix(out, absl::string_view("\0", 1)), '\0');
  if (fields.size() % 4 != 0) return CommandFailed("log", "its output is not what was asked for");
  for (size_t at = fields.size(); at >= 4; at -= 4) {
    commits.push_back({.commit = std::string(fields[at - 4]),
                       .parent = std::string(fields[at - 3]),
                       .tree = std::string(fields[at - 2]),
                       .subject = base::ToUtf8(fields[at - 1], kSubjectBytesMax)});
  }
  return commits;
}

absl::StatusOr<std::string> History::DiffOf(const HistoricCommit& commit, size_t bytes_max) const {
  ASSIGN_OR_RETURN(
      git::GitOutput output,
      git::RunGitCommand(
          {.git_dir = path_,
           .directory = path_,
           .arguments = {"diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames",
                         "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/",
                         "--dst-prefix=b/", commit.parent, commit.commit},
           .output_max = bytes_max + 1}));
  if (output.truncated || output.out.size() > bytes_max) {
    return base::Error(absl::StatusCode::kOutOfRange, "PATCH_TOO_LARGE",
                       absl::StrCat("its patch has more than ", bytes_max,
                                    " bytes: a reply of a model has at most 4 MiB, and base64 "
                                    "makes four bytes of three"),
                       {{"commit", commit.commit}});
  }
  if (output.exit_code != 0) return CommandFailed("diff-tree", output.err);
  return std::move(output.out);
}

std::vector<Stretch> Stretches(const std::vector<HistoricCommit>& commits, size_t length_max) {
  std::vector<Stretch> stretches;
  for (size_t i = 0; i < commits.size(); ++i) {
    const bool goes_on = !stretches.empty() && commits[i].parent == commits[i - 1].commit &&
                         i - stretches.back().begin < length_max;
    if (goes_on) {
      stretches.back().end = i + 1;
    } else {
      stretches.push_back({.begin = i, .end = i + 1});
    }
  }
  return stretches;
}

}  // namespace slipway::cli
