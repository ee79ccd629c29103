#include "lib/policy/patch_policy.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/status_macros.h"
#include "lib/patch/path_rules.h"
#include "lib/policy/content_check.h"
#include "lib/policy/glob.h"
#include "lib/policy/intent_check.h"
#include "lib/policy/limits.h"
#include "lib/policy/protected_paths.h"
#include "lib/policy/rule_table.h"
#include "lib/policy/secret_scanner.h"

namespace slipway::policy {
namespace {

using patch::ChangeOp;
using patch::FileChange;

// Walks one patch through every rule. The order of the checks is the order of the findings.
class PatchCheck final {
 public:
  PatchCheck(const AppliedPatch& applied, const PathPolicy& policy,
             const std::vector<std::string>& task_allowed)
      : applied_(applied), policy_(policy), task_allowed_(task_allowed) {}

  absl::StatusOr<std::vector<Finding>> Run();

 private:
  void Add(absl::string_view code, const std::string& path, absl::string_view detail) {
    findings_.push_back({std::string(code), path, std::string(detail)});
  }
  void AddAll(std::vector<Finding> findings) {
    std::move(findings.begin(), findings.end(), std::back_inserter(findings_));
  }

  void CheckLimits();
  void CheckNewFiles();
  void CheckPathRules(const FileChange& change);
  void CheckKind(const FileChange& change);
  absl::Status CheckContent(const FileChange& change);
  absl::Status CheckTarget(const std::string& path, absl::string_view target);
  absl::Status CheckDeletions();
  absl::Status CheckCollisions();
  void CheckLockFiles();
  absl::StatusOr<size_t> CountFiles(const std::string& directory, size_t enough);

  const AppliedPatch& applied_;
  const PathPolicy& policy_;
  const std::vector<std::string>& task_allowed_;
  std::vector<Finding> findings_;
};

int LimitOf(int configured, int standard) { return configured > 0 ? configured : standard; }

void PatchCheck::CheckLimits() {
  if (policy_.trusted_content) return;
  const int64_t bytes_max = policy_.bytes_max > 0 ? policy_.bytes_max : kPatchBytesMaxDefault;
  if (static_cast<int64_t>(applied_.bytes) > bytes_max) {
    Add("LIMITS", "",
        absl::StrCat("the patch has ", applied_.bytes, " bytes, more than ", bytes_max));
  }
  const int files_max = LimitOf(policy_.files_max, kFilesMaxDefault);
  if (applied_.changes.size() > static_cast<size_t>(files_max)) {
    Add("LIMITS", "",
        absl::StrCat("the patch touches ", applied_.changes.size(), " files, more than ",
                     files_max));
  }
  if (policy_.files_max == 0) CheckNewFiles();
  const int lines_max = LimitOf(policy_.added_lines_max, kAddedLinesMaxDefault);
  const int added = CountLines(applied_.patch).added;
  if (added > lines_max) {
    Add("LIMITS", "", absl::StrCat("the patch adds ", added, " lines, more than ", lines_max));
  }
}

void PatchCheck::CheckNewFiles() {
  std::map<absl::string_view, int> by_directory;
  for (const FileChange& change : applied_.patch.files) {
    if (change.op != ChangeOp::kAdd || change.type_change) continue;
    const absl::string_view path = change.path();
    const size_t slash = path.rfind('/');
    ++by_directory[slash == absl::string_view::npos ? "" : path.substr(0, slash)];
  }
  for (const auto& [directory, files] : by_directory) {
    if (files <= kNewFilesPerDirectoryMax) continue;
    Add("LIMITS", std::string(directory),
        absl::StrCat("the patch adds ", files, " files to one directory, more than ",
                     kNewFilesPerDirectoryMax));
  }
}

void PatchCheck::CheckPathRules(const FileChange& change) {
  const std::string& path = change.path();
  absl::string_view protection = ProtectionOf(path);
  if (protection.empty() && change.new_mode == patch::kExecutable && IsHookName(path)) {
    protection = "HOOKS";
  }
  bool waived = !protection.empty() && FloorOf(protection) == Floor::kQuarantine &&
                AnyGlobMatches(policy_.unprotected, path);
  if (protection == "GIT_SETTINGS" && change.new_mode == patch::kSymlink) {
    protection = "PROTECTED";  // Git would read what the link points to.
    waived = false;
  }
  if (!protection.empty() && !waived) {
    Add(protection, path, "the path is protected: a patch leaves it alone");
  }
  if (AnyGlobMatches(policy_.forbidden, path)) {
    Add("FORBIDDEN", path, "the project forbids patches to touch this path");
  }
  if (!task_allowed_.empty() && !AnyGlobMatches(task_allowed_, path)) {
    Add("NOT_ALLOWED", path, "the path is outside of what the task may touch");
  } else if (!policy_.allowed.empty() && !AnyGlobMatches(policy_.allowed, path)) {
    Add("NOT_ALLOWED", path, "the path is outside of what the project lets patches touch");
  }
  if (change.op == ChangeOp::kAdd && !policy_.allow_windows_names && patch::HoldsDevice(path)) {
    Add("WIN_RESERVED", path, "a component of the path is a device on Windows");
  }
  if (policy_.trusted_content) return;
  if (change.op != ChangeOp::kDelete && IsSecretFile(path)) {
    Add("SECRET_FILE", path, "files of this name hold credentials: keep them out");
  }
  if (const std::optional<SecretFinding> secret = FindSecret(path)) {
    Add("SECRET", path, absl::StrCat("the path holds a credential (", secret->rule, ")"));
  }
}

void PatchCheck::CheckKind(const FileChange& change) {
  const std::string& path = change.path();
  if (change.type_change) {
    Add("TYPE_CHANGE", path, "a file stays a file and a link stays a link");
  }
  const bool link = change.new_mode == patch::kSymlink || change.old_mode == patch::kSymlink;
  if (link && !policy_.allow_symlinks) {
    Add("SYMLINK", path, "the project does not let patches touch symbolic links");
  }
  const bool flipped =
      change.old_mode != 0 && change.new_mode != 0 && change.old_mode != change.new_mode && !link;
  if (flipped && !policy_.allow_mode_changes) {
    Add("MODE_CHANGE", path, "the executable bit changes");
  }
  if (!change.binary() || change.op == ChangeOp::kDelete) return;
  const bool here = policy_.binary_paths.empty() || AnyGlobMatches(policy_.binary_paths, path);
  if (!policy_.allow_binary || !here) {
    Add("BINARY", path, "the project does not let patches add binary content here");
  }
}

absl::Status PatchCheck::CheckContent(const FileChange& change) {
  if (change.op == ChangeOp::kDelete || change.op == ChangeOp::kModeOnly) return absl::OkStatus();
  const std::string& path = change.path();
  const auto result =
      std::find_if(applied_.changes.begin(), applied_.changes.end(),
                   [&](const patch::TreeChange& tree) { return tree.path == path; });
  if (result == applied_.changes.end() || !result->after.has_value()) return absl::OkStatus();
  const std::string& after = result->after->content;
  if (change.new_mode == patch::kSymlink && !policy_.trusted_content) {
    RETURN_IF_ERROR(CheckTarget(path, after));
  }
  if (change.new_mode != patch::kSymlink) AddAll(CheckBytes(path, after));
  if (change.binary()) {
    const int64_t bytes_max =
        policy_.binary_bytes_max > 0 ? policy_.binary_bytes_max : kBinaryBytesMaxDefault;
    if (static_cast<int64_t>(after.size()) > bytes_max && !policy_.trusted_content) {
      Add("BINARY", path, absl::StrCat("the file has more than ", bytes_max, " bytes"));
    }
    if (!policy_.trusted_content) AddAll(CheckBinary(path, after));
    return absl::OkStatus();
  }
  if (policy_.trusted_content) return absl::OkStatus();
  std::string before;
  if (!change.old_oid.empty()) {
    ASSIGN_OR_RETURN(before, applied_.base.Read(change.old_oid));
  }
  AddAll(CheckText(change, {.before = before, .after = after}));
  AddAll(CheckIntent(change, {.before = before, .after = after}));
  if (after.empty() && !before.empty()) {
    Add("MASS_DELETE", path, "the file is emptied; delete it if it is not needed");
  }
  return absl::OkStatus();
}

// A link must lead to something that is there afterwards, so that nobody plants its target later.
absl::Status PatchCheck::CheckTarget(const std::string& path, absl::string_view target) {
  std::vector<std::string> parts = absl::StrSplit(path, '/');
  parts.pop_back();
  for (const absl::string_view part : absl::StrSplit(target, '/')) {
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else if (!part.empty() && part != "." && part != "..") {
      parts.emplace_back(part);
    }
  }
  const std::string full = absl::StrJoin(parts, "/");
  if (full.empty()) return absl::OkStatus();  // The root.
  bool there = false;
  bool gone = false;
  for (const patch::TreeChange& change : applied_.changes) {
    const bool below = absl::StartsWith(change.path, full + "/");
    there = there || ((change.path == full || below) && change.after.has_value());
    gone = gone || (change.path == full && !change.after.has_value());
  }
  if (there) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto entry, applied_.base.Find(full));
  if (!entry.has_value() || gone) {
    Add("SYMLINK_TARGET", path, "the symlink leads to nothing in the tree");
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> PatchCheck::CountFiles(const std::string& directory, size_t enough) {
  ASSIGN_OR_RETURN(const std::vector<patch::BaseView::NamedEntry> entries,
                   applied_.base.List(directory));
  size_t count = 0;
  for (const patch::BaseView::NamedEntry& entry : entries) {
    if (count >= enough) break;
    if (entry.entry.mode != patch::kDirectory) {
      ++count;
      continue;
    }
    const std::string below =
        directory.empty() ? entry.name : absl::StrCat(directory, "/", entry.name);
    ASSIGN_OR_RETURN(const size_t files, CountFiles(below, enough - count));
    count += files;
  }
  return count;
}

absl::Status PatchCheck::CheckDeletions() {
  size_t deleted = 0;
  for (const FileChange& change : applied_.patch.files) {
    if (change.op != ChangeOp::kDelete || change.type_change) continue;
    ++deleted;
    if (!policy_.trusted_content && IsTestFile(change.path())) {
      Add("TEST_WEAKENING", change.path(), "a test is deleted");
    }
  }
  if (deleted > kMassDeleteFiles) {
    Add("MASS_DELETE", "", absl::StrCat("the patch deletes ", deleted, " files"));
    return absl::OkStatus();
  }
  if (deleted == 0 || deleted * 100 < kMassDeleteTreeMin * kMassDeletePercent) {
    return absl::OkStatus();
  }
  // Beyond `enough` files the share is small, so a large tree is not walked to its end.
  const size_t enough = deleted * 100 / kMassDeletePercent + 1;
  ASSIGN_OR_RETURN(const size_t files, CountFiles("", enough));
  if (files < enough && files >= kMassDeleteTreeMin) {
    Add("MASS_DELETE", "",
        absl::StrCat("the patch deletes ", deleted, " of the ", files, " files"));
  }
  return absl::OkStatus();
}

// A new name may not differ only in letter case from another in its directory. Every level of a new
// path counts: "Src/x" beside "src/y" is one directory on some machines and two on others.
absl::Status PatchCheck::CheckCollisions() {
  std::map<std::string, std::map<std::string, std::string>> added;  // Directory -> name -> path.
  std::set<std::string> deleted;
  for (const FileChange& change : applied_.patch.files) {
    const std::string& path = change.path();
    if (change.op == ChangeOp::kDelete && !change.type_change) deleted.insert(path);
    if (change.op != ChangeOp::kAdd) continue;
    for (size_t begin = 0; begin != std::string::npos;) {
      const size_t slash = path.find('/', begin);
      const std::string name = path.substr(begin, slash - begin);
      added[begin == 0 ? "" : path.substr(0, begin - 1)].emplace(name, path);
      begin = slash == std::string::npos ? slash : slash + 1;
    }
  }
  for (const auto& [directory, names] : added) {
    std::map<std::string, std::set<std::string>> by_key;
    for (const auto& [name, path] : names) by_key[patch::CaseFoldKey(name)].insert(name);
    absl::StatusOr<std::vector<patch::BaseView::NamedEntry>> entries =
        applied_.base.List(directory);
    if (!entries.ok() && entries.status().code() != absl::StatusCode::kNotFound) {
      return entries.status();
    }
    if (entries.ok()) {
      for (const patch::BaseView::NamedEntry& entry : *entries) {
        const auto found = by_key.find(patch::CaseFoldKey(entry.name));
        const std::string path =
            directory.empty() ? entry.name : absl::StrCat(directory, "/", entry.name);
        if (found != by_key.end() && !deleted.contains(path)) found->second.insert(entry.name);
      }
    }
    for (const auto& [key, twins] : by_key) {
      if (twins.size() < 2) continue;
      for (const std::string& twin : twins) {
        const auto name = names.find(twin);
        if (name == names.end()) continue;
        Add("CASE_COLLISION", name->second, "another path of the tree differs only in letter case");
        break;
      }
    }
  }
  return absl::OkStatus();
}

void PatchCheck::CheckLockFiles() {
  std::set<std::string> touched;
  for (const FileChange& change : applied_.patch.files) touched.insert(change.path());
  for (const std::string& path : touched) {
    const absl::string_view manifest = ManifestOf(path);
    if (manifest.empty()) continue;
    const std::string beside =
        absl::StrCat(path.substr(0, path.rfind('/') + 1), manifest);  // npos + 1 is 0.
    if (!touched.contains(beside)) {
      Add("SUPPLY_CHAIN", path, absl::StrCat("the lock file changes, ", manifest, " does not"));
    }
  }
}

absl::StatusOr<std::vector<Finding>> PatchCheck::Run() {
  CheckLimits();
  for (const FileChange& change : applied_.patch.files) {
    CheckPathRules(change);
    CheckKind(change);
    RETURN_IF_ERROR(CheckContent(change));
  }
  RETURN_IF_ERROR(CheckCollisions());
  RETURN_IF_ERROR(CheckDeletions());
  CheckLockFiles();
  std::stable_partition(findings_.begin(), findings_.end(), [](const Finding& finding) {
    return FloorOf(finding.code) == Floor::kRefuse;
  });
  if (findings_.size() > kReasonsMax) findings_.resize(kReasonsMax);
  return std::move(findings_);
}

}  // namespace

LineCounts CountLines(const patch::Patch& patch) {
  LineCounts counts;
  for (const FileChange& change : patch.files) {
    if (change.binary()) continue;
    for (const patch::Hunk& hunk : change.hunks()) {
      for (const patch::HunkLine& line : hunk.Lines()) {
        counts.added += line.kind == '+' ? 1 : 0;
        counts.removed += line.kind == '-' ? 1 : 0;
      }
    }
  }
  return counts;
}

absl::StatusOr<std::vector<Finding>> CheckPatch(const AppliedPatch& applied,
                                                const PathPolicy& policy,
                                                const std::vector<std::string>& task_allowed) {
  return PatchCheck(applied, policy, task_allowed).Run();
}

}  // namespace slipway::policy
