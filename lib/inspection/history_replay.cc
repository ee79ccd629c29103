#include "lib/inspection/history_replay.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/git/commit.h"
#include "lib/git/git_command.h"
#include "lib/git/overlay.h"
#include "lib/git/repository.h"
#include "lib/git/tree.h"
#include "lib/inspection/tree_base_view.h"
#include "lib/patch/applier.h"
#include "lib/patch/unified_parser.h"

namespace slipway::inspection {
namespace {

constexpr size_t kBatch = 50;  // Commits that one process of git prints.
constexpr size_t kFilesMax = 1'000'000;
constexpr size_t kOutputMax = size_t{1} << 30;

absl::StatusOr<std::string> Git(const std::string& repository, std::vector<std::string> arguments,
                                std::string input = "") {
  ASSIGN_OR_RETURN(git::GitOutput output, git::RunGitCommand({.git_dir = repository,
                                                              .directory = repository,
                                                              .arguments = std::move(arguments),
                                                              .input = std::move(input),
                                                              .output_max = kOutputMax}));
  if (output.exit_code != 0 || output.truncated) {
    return absl::FailedPreconditionError(absl::StrCat("git failed: ", output.err));
  }
  return std::move(output.out);
}

bool IsCommitLine(absl::string_view line) {
  // No line of a diff is like this: those of binary data have 5n + 1 characters.
  return line.size() == 40 && std::all_of(line.begin(), line.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// The patches in what `git diff-tree --stdin` prints, by commit.
std::map<std::string, std::string> PatchesIn(absl::string_view text) {
  std::map<std::string, std::string> patches;
  std::string* patch = nullptr;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const absl::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    if (IsCommitLine(line.substr(0, end - 1))) {
      patch = &patches[std::string(line.substr(0, end - 1))];
    } else if (patch != nullptr) {
      patch->append(line.data(), line.size());
    }
  }
  return patches;
}

class Replay final {
 public:
  Replay(const git::Repository& repository, const ReplayOptions& options)
      : repository_(repository), limits_{.renames = options.renames} {}

  absl::Status Add(const std::string& name, const std::string& patch) {
    ++counts.commits;
    counts.patch_bytes += patch.size();
    ASSIGN_OR_RETURN(const git::Oid oid, git::Oid::Parse(name));
    ASSIGN_OR_RETURN(const git::Commit commit, git::ReadCommit(repository_, oid));
    git::Oid base;
    if (!commit.parents.empty()) {
      ASSIGN_OR_RETURN(const git::Commit parent,
                       git::ReadCommit(repository_, commit.parents.front()));
      base = parent.tree;
    }
    if (patch.empty()) {
      ++counts.empty;
      return absl::OkStatus();
    }
    const absl::StatusOr<git::Oid> tree = TreeOf(patch, base);
    if (!tree.ok()) {
      std::string reason = base::ReasonOf(tree.status());
      if (reason.empty()) return tree.status();
      ++counts.refused[reason];
      counts.refusals.try_emplace(std::move(reason),
                                  absl::StrCat(name, " ", tree.status().message()));
    } else if (*tree == commit.tree) {
      ++counts.exact;
    } else {
      ASSIGN_OR_RETURN(const bool legacy, DifferInLegacyModes(*tree, commit.tree));
      if (legacy) {
        ++counts.legacy_modes;
      } else {
        counts.different.push_back(name);
      }
    }
    return absl::OkStatus();
  }

  ReplayCounts counts;

 private:
  // Reads trees of the last application, too.
  absl::StatusOr<bool> DifferInLegacyModes(const git::Oid& ours, const git::Oid& recorded) {
    ASSIGN_OR_RETURN(const auto our_files, git::ListFiles(*overlay_, ours, kFilesMax));
    ASSIGN_OR_RETURN(const auto files, git::ListFiles(*overlay_, recorded, kFilesMax));
    if (our_files.size() != files.size()) return false;
    for (size_t i = 0; i < files.size(); ++i) {
      const uint32_t mode = files[i].mode;
      const bool file = (mode & 0170000) == 0100000;
      const uint32_t usual = !file ? mode : (mode & 0100) != 0 ? 0100755 : 0100644;
      if (our_files[i].path != files[i].path || our_files[i].oid != files[i].oid ||
          (our_files[i].mode != usual && our_files[i].mode != mode)) {
        return false;
      }
    }
    return true;
  }

  absl::StatusOr<git::Oid> TreeOf(const std::string& text, const git::Oid& base_tree) {
    ASSIGN_OR_RETURN(const patch::Patch patch, patch::ParseUnified(text, limits_));
    git::Overlay& overlay = overlay_.emplace(repository_);
    TreeBaseView base(overlay, base_tree);
    ASSIGN_OR_RETURN(const std::vector<patch::TreeChange> changes,
                     patch::Apply(patch, base, limits_));
    git::TreeChanges tree_changes;
    for (const patch::TreeChange& change : changes) {
      std::optional<git::FileChange>& entry = tree_changes[change.path];
      if (!change.after.has_value()) continue;
      ASSIGN_OR_RETURN(const git::Oid blob, overlay.PutBlob(change.after->content));
      entry = git::FileChange{.mode = change.after->mode, .oid = blob};
    }
    return overlay.WriteTree(base_tree, tree_changes);
  }

  const git::Repository& repository_;
  const patch::Limits limits_;
  std::optional<git::Overlay> overlay_;  // Of the commit at hand.
};

}  // namespace

absl::StatusOr<ReplayCounts> ReplayHistory(const ReplayOptions& options, base::Clock& clock) {
  ASSIGN_OR_RETURN(const git::Repository repository, git::Repository::Open(options.repository));
  std::vector<std::string> listing = {"rev-list", "--no-merges", "HEAD"};
  if (options.commits_max > 0) {
    listing.insert(listing.begin() + 1, absl::StrCat("--max-count=", options.commits_max));
  }
  ASSIGN_OR_RETURN(const std::string listed, Git(options.repository, std::move(listing)));
  const std::vector<std::string> commits = absl::StrSplit(listed, '\n', absl::SkipEmpty());
  const absl::Duration started = clock.Elapsed();
  Replay replay(repository, options);
  for (size_t at = 0; at < commits.size(); at += kBatch) {
    if (clock.Elapsed() - started > options.time_max) break;
    const size_t end = std::min(at + kBatch, commits.size());
    const std::vector<std::string> batch(commits.begin() + at, commits.begin() + end);
    ASSIGN_OR_RETURN(const std::string text,
                     Git(options.repository,
                         {"diff-tree", "--stdin", "--root", "-p", "--binary", "--full-index",
                          options.renames ? "-M" : "--no-renames", "--no-color", "--no-ext-diff",
                          "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"},
                         absl::StrCat(absl::StrJoin(batch, "\n"), "\n")));
    std::map<std::string, std::string> patches = PatchesIn(text);
    for (const std::string& commit : batch) RETURN_IF_ERROR(replay.Add(commit, patches[commit]));
  }
  return std::move(replay.counts);
}

}  // namespace slipway::inspection
