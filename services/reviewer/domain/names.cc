#include "services/reviewer/domain/names.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/digest.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "services/reviewer/domain/errors.h"

namespace slipway::reviewer {
namespace {

// 80 bits: candidates of one plan are few.
constexpr size_t kCandidateDigits = 20;

}  // namespace

std::string Names::project() const { return absl::StrCat("projects/", project_id); }
std::string Names::plan() const { return absl::StrCat(project(), "/plans/", plan_id); }
std::string Names::task() const { return absl::StrCat(plan(), "/tasks/", task_id); }

absl::StatusOr<Names> ParseProject(absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, base::MatchName("projects/*", name));
  return Names{.project_id = ids[0]};
}

absl::StatusOr<Names> ParsePlan(absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, base::MatchName("projects/*/plans/*", name));
  return Names{.project_id = ids[0], .plan_id = ids[1]};
}

absl::StatusOr<Names> ParseTask(absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   base::MatchName("projects/*/plans/*/tasks/*", name));
  return Names{.project_id = ids[0], .plan_id = ids[1], .task_id = ids[2]};
}

absl::StatusOr<Names> ParseAttempt(absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   base::MatchName("projects/*/plans/*/tasks/*/attempts/*", name));
  return Names{.project_id = ids[0], .plan_id = ids[1], .task_id = ids[2], .attempt_id = ids[3]};
}

absl::StatusOr<Names> ParseCandidate(absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   base::MatchName("projects/*/plans/*/candidates/*", name));
  return Names{.project_id = ids[0], .plan_id = ids[1], .candidate_id = ids[2]};
}

absl::StatusOr<Names> ParseCheckpoint(absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                   base::MatchName("projects/*/plans/*/tasks/*/checkpoints/*", name));
  return Names{.project_id = ids[0], .plan_id = ids[1], .task_id = ids[2], .checkpoint_id = ids[3]};
}

absl::StatusOr<Names> ParseAttempt(absl::string_view name, int64_t epoch) {
  ASSIGN_OR_RETURN(Names names, ParseAttempt(name));
  if (epoch <= 0 || names.attempt_id != absl::StrCat(epoch)) return EpochInvalid(name, epoch);
  return names;
}

std::string CandidateId(absl::string_view source, absl::string_view base,
                        absl::string_view policy_digest) {
  const std::string digest = base::Sha256Hex(absl::StrCat(base, " ", source, " ", policy_digest));
  return absl::StrCat("c", digest.substr(0, kCandidateDigits));
}

std::string AgentRef(const Names& attempt) {
  return absl::StrCat("refs/agents/", attempt.plan_id, "/", attempt.task_id, "/",
                      attempt.attempt_id);
}

std::string CandidateRef(const Names& candidate) {
  return absl::StrCat(CandidateRefsOf(candidate), candidate.candidate_id);
}

std::string CandidateRefsOf(const Names& plan) {
  return absl::StrCat("refs/candidates/", plan.plan_id, "/");
}

std::string BranchRef(absl::string_view branch) { return absl::StrCat("refs/heads/", branch); }

std::string SourceRef(absl::string_view branch) {
  return absl::StrCat("refs/source/heads/", branch);
}

std::string IntegrationBranch(absl::string_view plan_id) {
  return absl::StrCat("integration/", plan_id);
}

absl::Status CheckPlanBranch(absl::string_view branch) {
  absl::string_view id = branch;
  if (!absl::ConsumePrefix(&id, "plan/") || !base::IsValidId(id)) {
    return BranchInvalid(branch, "a plan's branch is plan/{id}");
  }
  return absl::OkStatus();
}

}  // namespace slipway::reviewer
