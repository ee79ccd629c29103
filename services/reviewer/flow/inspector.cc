#include "services/reviewer/flow/inspector.h"

#include <optional>
#include <utility>

#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/git/overlay.h"
#include "lib/inspection/inspect_patch.h"
#include "lib/metrics/metrics.h"
#include "lib/policy/rule_table.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/stored_form.h"

namespace slipway::reviewer {
namespace {

metrics::Histogram inspect_seconds({.name = "slipway_reviewer_inspect_seconds",
                                    .description = "Time to inspect a patch.",
                                    .labels = {"outcome"}});
metrics::Counter refused({.name = "slipway_reviewer_refusals_total",
                          .description = "Patches refused, by the reason that decided.",
                          .labels = {"code"}});

constexpr size_t kTitleBytesMax = 1'000;

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
  result.human_may_accept = policy::HumanMayAccept(result.findings);
  const bool waived = result.human_may_accept && !request.approver.empty();
  if (result.findings.empty() || waived) {
    RETURN_IF_ERROR(Accept(job));
  } else {
    refused.Increment({result.findings.front().code});
  }
  // A patch beyond the limit is not kept.
  const std::string none;
  const bool kept = request.patch.size() <= inspection::kPatchBytesMax;
  RETURN_IF_ERROR(workshop_.store.PutInspection(result, kept ? request.patch : none));
  inspect_seconds.Observe({result.accepted ? "accepted" : "refused"},
                          workshop_.clock.Elapsed() - started);
  return result;
}

// Fills in the findings and, for a patch that applies, the tree.
absl::Status Inspector::Examine(Job& job) {
  ASSIGN_OR_RETURN(inspection::Report report,
                   inspection::InspectPatch(job.overlay, job.base.tree,
                                            {.patch = job.request.patch,
                                             .policy = job.plan.policy.paths,
                                             .task_allowed = job.request.allowed_paths,
                                             .expected_tree = job.request.expected_tree}));
  job.tree = report.tree;
  job.result.findings = std::move(report.findings);
  job.result.added = report.added;
  job.result.removed = report.removed;
  job.result.paths = std::move(report.paths);
  return absl::OkStatus();
}

absl::Status Inspector::Accept(Job& job) {
  Inspection& result = job.result;
  ASSIGN_OR_RETURN(const git::Oid commit,
                   PutCommit(workshop_, job.overlay, job.tree, {job.base.oid},
                             ChangeMessage(result, ValidatorDigest(job.plan.policy.validators))));
  RETURN_IF_ERROR(Publish(job.mirror, job.overlay, AgentRef(job.names), commit));
  result.accepted = true;
  result.commit = commit.ToHex();
  result.tree = job.tree.ToHex();
  return absl::OkStatus();
}

}  // namespace slipway::reviewer
