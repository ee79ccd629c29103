#include "services/reviewer/flow/inspector.h"

#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/git/overlay.h"
#include "lib/metrics/metrics.h"
#include "lib/patch/applier.h"
#include "lib/patch/unified_parser.h"
#include "services/reviewer/domain/commit_message.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/patch_policy.h"
#include "services/reviewer/domain/rule_table.h"
#include "services/reviewer/mirror/tree_base_view.h"

namespace slipway::reviewer {
namespace {

metrics::Histogram inspect_seconds({.name = "slipway_reviewer_inspect_seconds",
                                    .description = "Time to inspect a patch.",
                                    .labels = {"outcome"}});
metrics::Counter refused({.name = "slipway_reviewer_refusals_total",
                          .description = "Patches refused, by the reason that decided.",
                          .labels = {"code"}});

constexpr size_t kTitleBytesMax = 1'000;
constexpr size_t kDetailBytesMax = 4 << 10;

// What reading or applying found wrong with the patch; absent for a failure of ours.
std::optional<Finding> FindingOf(const absl::Status& status) {
  const std::optional<base::ErrorDetail> detail = base::DetailOf(status);
  const std::string text = base::ToUtf8(status.message(), kDetailBytesMax);
  if (status.code() == absl::StatusCode::kOutOfRange) {
    return Finding{.code = "LIMITS", .path = "", .detail = text};  // A file too large to change.
  }
  const bool of_patch = status.code() == absl::StatusCode::kInvalidArgument ||
                        status.code() == absl::StatusCode::kFailedPrecondition;
  if (!of_patch || !detail.has_value()) return std::nullopt;
  const auto path = detail->metadata.find("path");
  return Finding{.code = detail->reason,
                 .path = path == detail->metadata.end() ? "" : base::ToUtf8(path->second, 1'024),
                 .detail = text};
}

}  // namespace

// One inspection under way.
struct Inspector::Job {
  const InspectionRequest& request;
  const Names& names;
  const Plan& plan;
  git::Repository& mirror;
  git::Commit base;
  git::Overlay overlay;
  Inspection result;
  git::Oid tree = {};
};

absl::StatusOr<Inspection> Inspector::Inspect(const InspectionRequest& request) {
  const absl::Duration started = workshop_.clock.Elapsed();
  ASSIGN_OR_RETURN(const Names names, ParseAttempt(request.attempt, request.epoch));
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, names.plan()));
  const std::string digest = base::Sha256Hex(request.patch);
  ASSIGN_OR_RETURN(const std::optional<Inspection> earlier,
                   workshop_.store.FindInspection(request.attempt));
  if (earlier.has_value()) {
    if (earlier->patch_digest != digest || earlier->base_commit != request.base_commit) {
      return PatchDiffers(request.attempt);
    }
    const bool heard = request.approver.empty() || request.approver == earlier->approver;
    if (earlier->accepted || heard || !earlier->human_may_accept) return *earlier;
  }
  ASSIGN_OR_RETURN(git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  absl::StatusOr<git::Commit> base = RequireCommit(mirror, request.base_commit);
  if (base::ReasonOf(base.status()) == "COMMIT_UNKNOWN") return BaseUnknown(request.base_commit);
  RETURN_IF_ERROR(base.status());
  ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(BranchRef(plan.branch)));
  ASSIGN_OR_RETURN(const bool in_branch, mirror.IsAncestor(base->oid, tip));
  if (!in_branch) return BaseUnknown(request.base_commit);

  Job job{.request = request,
          .names = names,
          .plan = plan,
          .mirror = mirror,
          .base = *std::move(base),
          .overlay = git::Overlay(mirror),
          .result = {.attempt = request.attempt,
                     .task = names.task(),
                     .plan = names.plan(),
                     .epoch = request.epoch,
                     .base_commit = request.base_commit,
                     .patch_digest = digest,
                     .expected_tree = request.expected_tree,
                     .title = base::ToUtf8(request.title, kTitleBytesMax),
                     .approver = request.approver,
                     .inspect_time = workshop_.clock.Now()}};
  RETURN_IF_ERROR(Examine(job));
  Inspection& result = job.result;
  result.human_may_accept = HumanMayAccept(result.findings);
  const bool waived = result.human_may_accept && !request.approver.empty();
  if (result.findings.empty() || waived) {
    RETURN_IF_ERROR(Accept(job));
  } else {
    refused.Increment({result.findings.front().code});
  }
  // A patch beyond the limit is not kept.
  const std::string none;
  const bool kept = request.patch.size() <= static_cast<size_t>(kPatchBytesMax);
  RETURN_IF_ERROR(workshop_.store.PutInspection(result, kept ? request.patch : none));
  inspect_seconds.Observe({result.accepted ? "accepted" : "refused"},
                          workshop_.clock.Elapsed() - started);
  return result;
}

// Fills in the findings and, for a patch that applies, the tree.
absl::Status Inspector::Examine(Job& job) {
  const auto refuse = [&job](const absl::Status& status) -> absl::Status {
    std::optional<Finding> finding = FindingOf(status);
    if (!finding.has_value()) return status;
    job.result.findings.push_back(*std::move(finding));
    return absl::OkStatus();
  };
  if (job.request.patch.size() > static_cast<size_t>(kPatchBytesMax)) {
    job.result.findings.push_back(
        {"LIMITS", "", absl::StrCat("the patch has more than ", kPatchBytesMax, " bytes")});
    return absl::OkStatus();
  }
  const absl::StatusOr<patch::Patch> patch = patch::ParseUnified(job.request.patch);
  if (!patch.ok()) return refuse(patch.status());
  const absl::Status applied = Apply(job, *patch);
  return applied.ok() ? applied : refuse(applied);
}

absl::Status Inspector::Apply(Job& job, const patch::Patch& patch) {
  TreeBaseView base(job.mirror, job.base.tree);
  ASSIGN_OR_RETURN(const std::vector<patch::TreeChange> changes, patch::Apply(patch, base));
  ASSIGN_OR_RETURN(
      job.result.findings,
      CheckPatch(
          {.patch = patch, .changes = changes, .bytes = job.request.patch.size(), .base = base},
          job.plan.policy.paths, job.request.allowed_paths));
  git::TreeChanges tree_changes;
  std::set<std::string> paths;
  for (const patch::TreeChange& change : changes) {
    paths.insert(change.path);
    std::optional<git::FileChange>& entry = tree_changes[change.path];
    if (!change.after.has_value()) continue;
    ASSIGN_OR_RETURN(const git::Oid blob, job.overlay.PutBlob(change.after->content));
    entry = git::FileChange{.mode = change.after->mode, .oid = blob};
  }
  ASSIGN_OR_RETURN(job.tree, job.overlay.WriteTree(job.base.tree, tree_changes));
  const std::string tree = job.tree.ToHex();
  if (!job.request.expected_tree.empty() && job.request.expected_tree != tree) {
    job.result.findings.insert(
        job.result.findings.begin(),
        {"TREE_MISMATCH", "",
         absl::StrCat("the patch gives the tree ", tree, ", not the one that was announced")});
  }
  const LineCounts lines = CountLines(patch);
  job.result.added = lines.added;
  job.result.removed = lines.removed;
  job.result.paths.assign(paths.begin(), paths.end());
  return absl::OkStatus();
}

absl::Status Inspector::Accept(Job& job) {
  Inspection& result = job.result;
  CommitText text{.subject = result.title,
                  .body = "",
                  .trailers = {{kPlanTrailer, result.plan},
                               {kTaskTrailer, result.task},
                               {kAttemptTrailer, result.attempt},
                               {kEpochTrailer, absl::StrCat(result.epoch)},
                               {kPatchTrailer, absl::StrCat("sha256:", result.patch_digest)}}};
  if (!result.findings.empty()) text.trailers.emplace_back(kApproverTrailer, result.approver);
  ASSIGN_OR_RETURN(const git::Oid commit, PutCommit(workshop_, job.overlay, job.tree,
                                                    {job.base.oid}, ComposeMessage(text)));
  RETURN_IF_ERROR(Publish(job.mirror, job.overlay, AgentRef(job.names), commit));
  result.accepted = true;
  result.commit = commit.ToHex();
  result.tree = job.tree.ToHex();
  return absl::OkStatus();
}

}  // namespace slipway::reviewer
