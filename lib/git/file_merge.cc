#include "lib/git/file_merge.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/git/libgit.h"
#include "lib/git/tree.h"

namespace slipway::git {
namespace {

constexpr size_t kSizeMax = 1u << 20;
// Hostile content makes the line matching quadratic: half a second at 100,000 lines.
constexpr int64_t kLinesMax = 50'000;
constexpr size_t kBinaryProbe = 8'000;  // As git decides.

using Versions = std::array<std::string, 3>;  // Base, ours, theirs.

struct LineMerge {
  bool clean = false;
  std::string text;
};

absl::StatusOr<LineMerge> MergeLines(const Versions& versions, uint32_t flags) {
  std::array<git_merge_file_input, 3> inputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i] = GIT_MERGE_FILE_INPUT_INIT;
    inputs[i].ptr = versions[i].data();
    inputs[i].size = versions[i].size();
  }
  git_merge_file_options options = GIT_MERGE_FILE_OPTIONS_INIT;
  options.ancestor_label = "base";
  options.our_label = "target";
  options.their_label = "change";
  options.flags = flags;
  git_merge_file_result result = {};
  RETURN_IF_ERROR(LibgitStatus(
      git_merge_file(&result, &inputs[0], &inputs[1], &inputs[2], &options), "merge file"));
  LineMerge merge = {.clean = result.automergeable != 0};
  if (result.len > 0) merge.text.assign(result.ptr, result.len);
  git_merge_file_result_free(&result);
  return merge;
}

// The lines last to first. Reversed files match differently where the matching is ambiguous.
std::string ReverseLines(const std::string& text) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  std::reverse(lines.begin(), lines.end());
  return absl::StrCat(absl::StrJoin(lines, "\n"), "\n");
}

// Whether every other way of matching lines leads to `text` as well.
absl::StatusOr<bool> IsUnambiguous(const Versions& versions, const std::string& text) {
  ASSIGN_OR_RETURN(const LineMerge patience, MergeLines(versions, GIT_MERGE_FILE_DIFF_PATIENCE));
  if (!patience.clean || patience.text != text) return false;
  const Versions reversed = {ReverseLines(versions[0]), ReverseLines(versions[1]),
                             ReverseLines(versions[2])};
  ASSIGN_OR_RETURN(const LineMerge backwards, MergeLines(reversed, GIT_MERGE_FILE_DEFAULT));
  return backwards.clean && backwards.text == ReverseLines(text);
}

}  // namespace

absl::StatusOr<FileMerge> MergeFiles(const ObjectSource& source, const Oid& base, const Oid& ours,
                                     const Oid& theirs) {
  Versions versions;
  const std::array<const Oid*, 3> oids = {&base, &ours, &theirs};
  for (size_t i = 0; i < versions.size(); ++i) {
    absl::StatusOr<std::string> content = ReadBlob(source, *oids[i], kSizeMax);
    if (base::ReasonOf(content.status()) == "OBJECT_TOO_LARGE") {
      return FileMerge{.conflict = ConflictKind::kTooLarge};
    }
    RETURN_IF_ERROR(content.status());
    versions[i] = *std::move(content);
  }
  for (const std::string& version : versions) {
    if (version.substr(0, kBinaryProbe).find('\0') != std::string::npos) {
      return FileMerge{.conflict = ConflictKind::kBinary};
    }
    if (std::count(version.begin(), version.end(), '\n') > kLinesMax) {
      return FileMerge{.conflict = ConflictKind::kTooLarge};
    }
  }
  ASSIGN_OR_RETURN(LineMerge plain, MergeLines(versions, GIT_MERGE_FILE_DEFAULT));
  if (plain.clean) {
    ASSIGN_OR_RETURN(const bool unambiguous, IsUnambiguous(versions, plain.text));
    if (unambiguous) return FileMerge{.text = std::move(plain.text)};
  }
  std::string text = std::move(plain.text);
  if (text.size() > kConflictTextMax) text.resize(kConflictTextMax);
  return FileMerge{.conflict = ConflictKind::kContent, .text = std::move(text)};
}

}  // namespace slipway::git
