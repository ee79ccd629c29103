#include "services/reviewer/flow/workshop.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/git/object_packs.h"
#include "lib/log/log.h"
#include "services/reviewer/domain/commit_message.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {

absl::StatusOr<Plan> RequirePlan(ReviewStore& store, const std::string& name) {
  ASSIGN_OR_RETURN(std::optional<Plan> plan, store.FindPlan(name));
  if (!plan.has_value()) return PlanUnknown(name);
  return *std::move(plan);
}

absl::StatusOr<Candidate> RequireCandidate(ReviewStore& store, const std::string& name) {
  RETURN_IF_ERROR(ParseCandidate(name).status());
  ASSIGN_OR_RETURN(std::optional<Candidate> candidate, store.FindCandidate(name));
  if (!candidate.has_value()) return CandidateUnknown(name);
  return *std::move(candidate);
}

absl::StatusOr<git::Commit> RequireCommit(const git::ObjectSource& source, absl::string_view hex) {
  const absl::StatusOr<git::Oid> oid = git::Oid::Parse(hex);
  if (!oid.ok()) return OidInvalid(hex);
  if (!source.Contains(*oid)) return CommitUnknown(hex);
  absl::StatusOr<git::Commit> commit = git::ReadCommit(source, *oid);
  if (base::ReasonOf(commit.status()) == "OBJECT_TYPE_WRONG") return CommitUnknown(hex);
  return commit;
}

absl::StatusOr<git::Oid> PutCommit(const Workshop& workshop, git::Overlay& overlay,
                                   const git::Oid& tree, std::vector<git::Oid> parents,
                                   std::string message) {
  const git::Signature signature{.name = workshop.committer_name,
                                 .email = workshop.committer_email,
                                 .time = workshop.clock.Now(),
                                 .offset_minutes = 0};
  return overlay.PutCommit({.tree = tree,
                            .parents = std::move(parents),
                            .author = signature,
                            .committer = signature,
                            .message = std::move(message)});
}

std::string ChangeMessage(const Inspection& change, const std::string& validator_digest) {
  CommitText text{.subject = change.title,
                  .body = "",
                  .trailers = {{kPlanTrailer, change.plan},
                               {kTaskTrailer, change.task},
                               {kAttemptTrailer, change.attempt},
                               {kEpochTrailer, absl::StrCat(change.epoch)},
                               {kPatchTrailer, absl::StrCat("sha256:", change.patch_digest)}}};
  if (!validator_digest.empty()) {
    text.trailers.emplace_back(kValidatorsTrailer, absl::StrCat("sha256:", validator_digest));
  }
  if (!change.findings.empty()) text.trailers.emplace_back(kApproverTrailer, change.approver);
  return ComposeMessage(text);
}

absl::Status PruneCandidates(const Workshop& workshop, const std::string& plan,
                             const std::string& task) {
  ASSIGN_OR_RETURN(const Names names, ParsePlan(plan));
  ASSIGN_OR_RETURN(git::Repository mirror, workshop.mirrors.Find(names.project_id));
  std::vector<git::Ref> refs;
  if (task.empty()) {
    ASSIGN_OR_RETURN(refs, mirror.ListRefs(CandidateRefsOf(names), kCandidateRefsMax));
  } else {
    ASSIGN_OR_RETURN(const std::vector<std::string> candidates,
                     workshop.store.ListCandidates(plan, task));
    for (const std::string& candidate : candidates) {
      ASSIGN_OR_RETURN(const Names parsed, ParseCandidate(candidate));
      const std::string ref = CandidateRef(parsed);
      ASSIGN_OR_RETURN(const std::optional<git::Oid> target, mirror.FindRef(ref));
      if (target.has_value()) refs.push_back({.name = ref, .target = *target});
    }
  }
  for (const git::Ref& ref : refs) {
    const absl::Status deleted = mirror.DeleteRef(ref.name, ref.target);
    // Somebody else was first.
    if (!deleted.ok() && base::ReasonOf(deleted) != "REF_NOT_FOUND") return deleted;
  }
  return absl::OkStatus();
}

absl::Status Publish(git::Repository& repository, git::Overlay& overlay, const std::string& ref,
                     const git::Oid& commit) {
  RETURN_IF_ERROR(overlay.Publish(repository));
  const absl::StatusOr<int> joined = git::JoinPacks(repository.path() + "objects");
  // The change is safe; the next one tries again.
  if (!joined.ok()) {
    log::Warning("packs could not be joined", {{"error", joined.status().ToString()}});
  }
  return repository.Pin(ref, commit);
}

}  // namespace slipway::reviewer
