#include "agent/runner/git_tree.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/domain/errors.h"
#include "agent/domain/limits.h"
#include "lib/base/file.h"
#include "lib/base/process.h"
#include "lib/base/status_macros.h"
#include "lib/patch/blob_id.h"
#include "lib/patch/patch.h"

namespace slipway::agent {
namespace {

constexpr absl::Duration kGitTimeout = absl::Minutes(10);
constexpr size_t kOidDigits = 40;

std::vector<absl::string_view> Lines(absl::string_view text, char end) {
  return absl::StrSplit(text, end, absl::SkipEmpty());
}

}  // namespace

absl::StatusOr<GitTree> GitTree::Open(std::string workspace, const std::string& commit,
                                      std::string scratch) {
  GitTree tree(std::move(workspace), commit, std::move(scratch));
  RETURN_IF_ERROR(base::MakeDirectories(tree.scratch_));
  RETURN_IF_ERROR(tree.Load());
  return tree;
}

absl::Status GitTree::Load() {
  // "<mode> <type> <oid> <size>\t<path>", each ended by NUL.
  ASSIGN_OR_RETURN(const std::string list,
                   Git({"ls-tree", "-r", "-l", "-z", "--full-tree", commit_}));
  for (const absl::string_view line : Lines(list, '\0')) {
    const size_t tab = line.find('\t');
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line.substr(0, tab), ' ', absl::SkipEmpty());
    if (tab == absl::string_view::npos || parts.size() != 4) return GitFailed("ls-tree", line);
    Entry entry{.oid = std::string(parts[2])};
    for (const char digit : parts[0]) {
      entry.mode = entry.mode * 8 + static_cast<uint32_t>(digit - '0');
    }
    const std::string path(line.substr(tab + 1));
    if (!absl::SimpleAtoi(parts[3], &sizes_[path])) sizes_[path] = 0;  // "-": not a blob.
    files_[path] = std::move(entry);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> GitTree::Read(absl::string_view oid) {
  return Git({"cat-file", "blob", std::string(oid)}, "", patch::Limits().file_bytes_max + 1);
}

absl::StatusOr<std::vector<std::string>> GitTree::WriteBlobs(
    const std::vector<patch::TreeChange>& changes) {
  std::string paths;
  size_t count = 0;
  for (const patch::TreeChange& change : changes) {
    if (!change.after.has_value()) continue;
    const std::string path = absl::StrCat(scratch_, "/", count++);
    RETURN_IF_ERROR(base::WriteFileAtomic(path, change.after->content));
    absl::StrAppend(&paths, path, "\n");
  }
  if (count == 0) return std::vector<std::string>();
  ASSIGN_OR_RETURN(const std::string out,
                   Git({"hash-object", "-w", "--no-filters", "--stdin-paths"}, paths));
  std::vector<std::string> oids = absl::StrSplit(out, '\n', absl::SkipEmpty());
  if (oids.size() != count) return GitFailed("hash-object", out);
  return oids;
}

absl::StatusOr<std::string> GitTree::WriteTree(const std::vector<patch::TreeChange>& changes) {
  ASSIGN_OR_RETURN(const std::vector<std::string> oids, WriteBlobs(changes));
  // Deletions first: a file may give way to a directory of its name, or the other way round.
  std::string deletions, writes;
  size_t next = 0;
  for (const patch::TreeChange& change : changes) {
    std::string& lines = change.after.has_value() ? writes : deletions;
    if (change.after.has_value()) {
      absl::StrAppendFormat(&lines, "%06o %s\t", change.after->mode, oids[next++]);
    } else {
      absl::StrAppend(&lines, "0 ", patch::kNullOid, "\t");
    }
    lines.append(change.path).push_back('\0');
  }
  RETURN_IF_ERROR(Git({"read-tree", commit_}).status());
  RETURN_IF_ERROR(Git({"update-index", "-z", "--index-info"}, deletions + writes).status());
  ASSIGN_OR_RETURN(const std::string tree, Git({"write-tree"}));
  const absl::string_view oid = absl::StripSuffix(tree, "\n");
  if (oid.size() != kOidDigits) return GitFailed("write-tree", tree);
  return std::string(oid);
}

absl::StatusOr<std::string> GitTree::Diff(const std::string& tree) {
  ASSIGN_OR_RETURN(
      std::string diff,
      Git({"diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-color",
           "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", commit_, tree},
          "", kPatchBytesMax + 1));
  if (diff.size() > kPatchBytesMax) return PatchTooLarge();
  return diff;
}

absl::StatusOr<std::string> GitTree::Git(const std::vector<std::string>& arguments,
                                         std::string input, size_t output_max) {
  base::Process::Options options{
      .argv = {"git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"},
      .env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
              {"HOME", "/nonexistent"},
              {"LC_ALL", "C"},
              {"GIT_CONFIG_GLOBAL", "/dev/null"},
              {"GIT_CONFIG_SYSTEM", "/dev/null"},
              {"GIT_CONFIG_NOSYSTEM", "1"},
              {"GIT_ATTR_NOSYSTEM", "1"},
              {"GIT_NO_REPLACE_OBJECTS", "1"},
              {"GIT_TERMINAL_PROMPT", "0"},
              {"GIT_DIR", workspace_ + "/.git"},
              {"GIT_WORK_TREE", workspace_},
              {"GIT_INDEX_FILE", scratch_ + "/index"}},
      .directory = workspace_};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  ASSIGN_OR_RETURN(base::CommandResult result,
                   base::RunCommand(options, kGitTimeout, std::move(input), output_max));
  if (result.timed_out) return GitFailed(arguments[0], "out of time");
  if (result.truncated) {
    // A caller with a limit of its own asks for one byte more and sees that it is there.
    if (output_max == kOutputBytesMax) return GitFailed(arguments[0], "too much output");
    return std::move(result.out);
  }
  if (!result.exit.ok()) return GitFailed(arguments[0], result.err);
  return std::move(result.out);
}

}  // namespace slipway::agent
