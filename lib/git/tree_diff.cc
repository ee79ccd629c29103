#include "lib/git/tree_diff.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/git_command.h"
#include "lib/git/libgit.h"
#include "lib/git/tree.h"

namespace slipway::git {
namespace {

constexpr size_t kShownFileSizeMax = 1u << 20;
constexpr size_t kShownPathsMax = 10'000;

class TreeComparison final {
 public:
  TreeComparison(const ObjectSource& source, size_t limit) : source_(source), limit_(limit) {}

  absl::Status Compare(const Oid& before, const Oid& after, const std::string& prefix, int depth) {
    if (before == after) return absl::OkStatus();
    if (depth > kTreeDepthMax) return PathInvalid(prefix, "too many directories in each other");
    ASSIGN_OR_RETURN(const Tree old_entries, ReadTree(source_, before));
    ASSIGN_OR_RETURN(const Tree new_entries, ReadTree(source_, after));
    std::map<absl::string_view, std::array<const TreeEntry*, 2>> by_name;
    for (const TreeEntry& entry : old_entries) by_name[entry.name][0] = &entry;
    for (const TreeEntry& entry : new_entries) by_name[entry.name][1] = &entry;
    for (const auto& [name, sides] : by_name) {
      RETURN_IF_ERROR(CompareEntry(sides[0], sides[1], absl::StrCat(prefix, name), depth));
    }
    return absl::OkStatus();
  }

  std::vector<ChangedPath> Take() {
    std::sort(changes_.begin(), changes_.end(),
              [](const ChangedPath& a, const ChangedPath& b) { return a.path < b.path; });
    return std::move(changes_);
  }

 private:
  absl::Status CompareEntry(const TreeEntry* before, const TreeEntry* after,
                            const std::string& path, int depth) {
    if (before != nullptr && after != nullptr && before->SameObject(*after)) {
      return absl::OkStatus();
    }
    const auto file = [](const TreeEntry* entry) -> std::optional<FileChange> {
      if (entry == nullptr || entry->is_tree()) return std::nullopt;
      return FileChange{.mode = entry->mode, .oid = entry->oid};
    };
    const auto tree = [](const TreeEntry* entry) {
      return entry != nullptr && entry->is_tree() ? entry->oid : Oid();
    };
    ChangedPath change = {.path = path, .before = file(before), .after = file(after)};
    if (change.before.has_value() || change.after.has_value()) {
      if (changes_.size() >= limit_) return ListTooLong("list of changed paths", limit_);
      changes_.push_back(std::move(change));
    }
    return Compare(tree(before), tree(after), path + "/", depth + 1);
  }

  const ObjectSource& source_;
  const size_t limit_;
  std::vector<ChangedPath> changes_;
};

std::string DescribeModes(const ChangedPath& change) {
  if (change.added()) return absl::StrFormat("new file mode %o\n", change.after->mode);
  if (change.deleted()) return absl::StrFormat("deleted file mode %o\n", change.before->mode);
  if (change.before->mode == change.after->mode) return "";
  return absl::StrFormat("old mode %o\nnew mode %o\n", change.before->mode, change.after->mode);
}

// The text of one side; a submodule is shown as git shows it. Absent: not to be shown.
absl::StatusOr<std::optional<std::string>> ReadSide(const ObjectSource& source,
                                                    const std::optional<FileChange>& side) {
  if (!side.has_value()) return std::string();
  if (side->mode == kModeSubmodule) {
    return absl::StrCat("Subproject commit ", side->oid.ToHex(), "\n");
  }
  absl::StatusOr<std::string> content = ReadBlob(source, side->oid, kShownFileSizeMax);
  if (base::ReasonOf(content.status()) == "OBJECT_TOO_LARGE") return std::nullopt;
  RETURN_IF_ERROR(content.status());
  return *std::move(content);
}

// The part of libgit2's patch from the file names on; our own lines stand before it.
absl::StatusOr<std::string> FormatHunks(const ChangedPath& change, const std::string& before,
                                        const std::string& after) {
  git_patch* raw = nullptr;
  RETURN_IF_ERROR(LibgitStatus(
      git_patch_from_buffers(&raw, change.added() ? nullptr : before.data(), before.size(),
                             change.path.c_str(), change.deleted() ? nullptr : after.data(),
                             after.size(), change.path.c_str(), nullptr),
      "compare files"));
  const PatchPtr patch(raw);
  git_buf buffer = GIT_BUF_INIT;
  const int code = git_patch_to_buf(&buffer, raw);
  const std::string text(buffer.ptr != nullptr ? buffer.ptr : "", buffer.size);
  git_buf_dispose(&buffer);
  RETURN_IF_ERROR(LibgitStatus(code, "format diff"));
  size_t start = text.find("\n--- ");
  if (start == std::string::npos) start = text.find("\nBinary files ");
  return start == std::string::npos ? "" : text.substr(start + 1);
}

absl::StatusOr<std::string> FormatChange(const ObjectSource& source, const ChangedPath& change) {
  std::string text =
      absl::StrCat("diff --git a/", change.path, " b/", change.path, "\n", DescribeModes(change));
  ASSIGN_OR_RETURN(const std::optional<std::string> before, ReadSide(source, change.before));
  ASSIGN_OR_RETURN(const std::optional<std::string> after, ReadSide(source, change.after));
  if (!before.has_value() || !after.has_value()) {
    return absl::StrCat(text, "Files of more than ", kShownFileSizeMax, " bytes differ\n");
  }
  ASSIGN_OR_RETURN(const std::string hunks, FormatHunks(change, *before, *after));
  return absl::StrCat(text, hunks);
}

}  // namespace

absl::StatusOr<std::vector<ChangedPath>> ChangedPaths(const ObjectSource& source,
                                                      const Oid& old_tree, const Oid& new_tree,
                                                      size_t limit) {
  TreeComparison comparison(source, limit);
  RETURN_IF_ERROR(comparison.Compare(old_tree, new_tree, "", 0));
  return comparison.Take();
}

absl::StatusOr<DiffText> FormatDiff(const ObjectSource& source, const Oid& old_tree,
                                    const Oid& new_tree, size_t size_max) {
  ASSIGN_OR_RETURN(const std::vector<ChangedPath> changes,
                   ChangedPaths(source, old_tree, new_tree, kShownPathsMax));
  DiffText diff;
  for (const ChangedPath& change : changes) {
    ASSIGN_OR_RETURN(const std::string text, FormatChange(source, change));
    if (diff.text.size() + text.size() <= size_max) {
      diff.text += text;
      continue;
    }
    const size_t end = text.substr(0, size_max - diff.text.size()).rfind('\n');
    if (end != std::string::npos) diff.text.append(text, 0, end + 1);
    diff.truncated = true;
    break;
  }
  return diff;
}

absl::StatusOr<std::string> MachineDiff(const Repository& repository, const Oid& old_tree,
                                        const Oid& new_tree, size_t size_max) {
  ASSIGN_OR_RETURN(
      const GitOutput output,
      RunGitCommand(
          {.git_dir = repository.path(),
           .arguments = {"diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames",
                         "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/",
                         "--dst-prefix=b/", old_tree.ToHex(), new_tree.ToHex(), "--"},
           .output_max = size_max}));
  if (output.truncated) {
    return absl::OutOfRangeError(absl::StrCat("the diff exceeds ", size_max, " bytes"));
  }
  if (output.exit_code != 0) return GitCommandFailed("diff-tree", output.err);
  return output.out;
}

}  // namespace slipway::git
