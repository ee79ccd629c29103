#include "lib/inspection/inspect_patch.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/inspection/tree_base_view.h"
#include "lib/patch/applier.h"
#include "lib/patch/model_edit.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"
#include "lib/policy/patch_policy.h"

namespace slipway::inspection {
namespace {

using Changes = std::vector<patch::TreeChange>;

constexpr size_t kDetailBytesMax = 4 << 10;
constexpr size_t kPathBytesMax = 1 << 10;

// What reading or applying found wrong with the patch; absent for a failure of ours.
std::optional<policy::Finding> FindingOf(const absl::Status& status) {
  const std::optional<base::ErrorDetail> detail = base::DetailOf(status);
  const std::string text = base::ToUtf8(status.message(), kDetailBytesMax);
  if (status.code() == absl::StatusCode::kOutOfRange) {
    return policy::Finding{.code = "LIMITS", .path = "", .detail = text};  // A file too large.
  }
  const bool of_patch = status.code() == absl::StatusCode::kInvalidArgument ||
                        status.code() == absl::StatusCode::kFailedPrecondition;
  if (!of_patch || !detail.has_value()) return std::nullopt;
  const auto path = detail->metadata.find("path");
  return policy::Finding{
      .code = detail->reason,
      .path = path == detail->metadata.end() ? "" : base::ToUtf8(path->second, kPathBytesMax),
      .detail = text};
}

class Inspection final {
 public:
  Inspection(git::Overlay& overlay, const git::Oid& base_tree, const Submission& submission)
      : overlay_(overlay),
        base_tree_(base_tree),
        base_(overlay, base_tree),
        submission_(submission) {}

  absl::StatusOr<Report> Run() && {
    if (submission_.patch.size() > kPatchBytesMax) {
      report_.findings.push_back(
          {"LIMITS", "", absl::StrCat("the patch has more than ", kPatchBytesMax, " bytes")});
      return std::move(report_);
    }
    const absl::Status examined = Examine();
    if (examined.ok()) return std::move(report_);
    std::optional<policy::Finding> finding = FindingOf(examined);
    if (!finding.has_value()) return examined;
    report_.findings = {*std::move(finding)};
    return std::move(report_);
  }

 private:
  absl::Status Examine() {
    const patch::Limits limits{.renames = submission_.policy.allow_renames};
    absl::StatusOr<patch::Patch> read = patch::ParseUnified(submission_.patch, limits);
    if (read.ok() && !Moves(*read)) return Judge(*read, submission_.patch.size());
    if (!read.ok() && submission_.mode == Mode::kStrict) return read.status();
    const absl::StatusOr<Changes> changes =
        read.ok() ? patch::Apply(*read, base_, limits)
                  : patch::ReadModelEdit(submission_.patch, base_, {.limits = limits});
    RETURN_IF_ERROR(changes.status());
    // The rules judge deletions and additions only, so both ends of a rename.
    report_.normalised = true;
    ASSIGN_OR_RETURN(const std::string canonical, patch::RenderChanges(*changes, base_));
    ASSIGN_OR_RETURN(const patch::Patch patch, patch::ParseUnified(canonical));
    return Judge(patch, canonical.size());
  }

  static bool Moves(const patch::Patch& patch) {
    return std::any_of(patch.files.begin(), patch.files.end(),
                       [](const patch::FileChange& change) { return change.moves(); });
  }

  absl::Status Judge(const patch::Patch& patch, size_t bytes) {
    ASSIGN_OR_RETURN(const Changes changes, patch::Apply(patch, base_));
    ASSIGN_OR_RETURN(
        report_.findings,
        policy::CheckPatch({.patch = patch, .changes = changes, .bytes = bytes, .base = base_},
                           submission_.policy, submission_.task_allowed));
    RETURN_IF_ERROR(WriteTree(changes));
    const policy::LineCounts lines = policy::CountLines(patch);
    report_.added = lines.added;
    report_.removed = lines.removed;
    const std::string tree = report_.tree.ToHex();
    if (submission_.expected_tree.empty() || submission_.expected_tree == tree) {
      return absl::OkStatus();
    }
    report_.findings.insert(
        report_.findings.begin(),
        {"TREE_MISMATCH", "",
         absl::StrCat("the patch gives the tree ", tree, ", not the one that was announced")});
    return absl::OkStatus();
  }

  absl::Status WriteTree(const Changes& changes) {
    git::TreeChanges tree_changes;
    for (const patch::TreeChange& change : changes) {
      report_.paths.push_back(change.path);  // In order, each once.
      std::optional<git::FileChange>& entry = tree_changes[change.path];
      if (!change.after.has_value()) continue;
      ASSIGN_OR_RETURN(const git::Oid blob, overlay_.PutBlob(change.after->content));
      entry = git::FileChange{.mode = change.after->mode, .oid = blob};
    }
    ASSIGN_OR_RETURN(report_.tree, overlay_.WriteTree(base_tree_, tree_changes));
    return absl::OkStatus();
  }

  git::Overlay& overlay_;
  const git::Oid& base_tree_;
  TreeBaseView base_;
  const Submission& submission_;
  Report report_;
};

}  // namespace

absl::StatusOr<Report> InspectPatch(git::Overlay& overlay, const git::Oid& base_tree,
                                    const Submission& submission) {
  return Inspection(overlay, base_tree, submission).Run();
}

}  // namespace slipway::inspection
