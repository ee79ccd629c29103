#include "services/reviewer/rpc/convert.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"
#include "services/reviewer/domain/errors.h"

namespace slipway::reviewer {
namespace {

using Texts = google::protobuf::RepeatedPtrField<std::string>;

std::vector<std::string> ListFrom(const Texts& texts) { return {texts.begin(), texts.end()}; }

v1::Reason ReasonToProto(const Finding& finding) {
  v1::Reason reason;
  reason.set_code(finding.code);
  reason.set_path(finding.path);
  reason.set_detail(finding.detail);
  return reason;
}

absl::StatusOr<IntegrationMode> ModeFrom(const common::v1::IntegrationPolicy& policy) {
  switch (policy.mode()) {
    case common::v1::IntegrationPolicy::MODE_UNSPECIFIED:
    case common::v1::IntegrationPolicy::MODE_BRANCH:
      return IntegrationMode::kBranch;
    case common::v1::IntegrationPolicy::MODE_NONE:
      return IntegrationMode::kNone;
    case common::v1::IntegrationPolicy::MODE_MERGE:
      return IntegrationMode::kMerge;
    default:
      return PolicyInvalid("integration.mode", "is not known");
  }
}

}  // namespace

absl::StatusOr<ProjectPolicy> PolicyFromProto(const common::v1::ProjectPolicy& message) {
  ProjectPolicy policy;
  for (const common::v1::Validator& validator : message.validators()) {
    policy.validators.push_back({.name = validator.name(),
                                 .command = ListFrom(validator.command()),
                                 .run_timeout = rpc::FromProto(validator.run_timeout()),
                                 .directory = validator.directory(),
                                 .output_format = validator.output_format()});
  }
  const common::v1::PathPolicy& paths = message.paths();
  policy.paths = {.allowed = ListFrom(paths.allowed()),
                  .forbidden = ListFrom(paths.forbidden()),
                  .unprotected = ListFrom(paths.unprotected()),
                  .allow_binary = paths.allow_binary(),
                  .allow_symlinks = paths.allow_symlinks(),
                  .allow_mode_changes = paths.allow_mode_changes(),
                  .trusted_content = paths.trusted_content(),
                  .files_max = paths.files_max(),
                  .added_lines_max = paths.added_lines_max(),
                  .bytes_max = paths.bytes_max(),
                  .allow_windows_names = paths.allow_windows_names(),
                  .allow_renames = paths.allow_renames(),
                  .binary_paths = ListFrom(paths.binary_paths()),
                  .binary_bytes_max = paths.binary_bytes_max()};
  policy.review = {.critic_role = message.review().critic_role(),
                   .council_roles = ListFrom(message.review().council_roles()),
                   .diagnosis_role = message.review().diagnosis_role(),
                   .human_approval = message.review().human_approval()};
  ASSIGN_OR_RETURN(policy.integration, ModeFrom(message.integration()));
  return policy;
}

absl::StatusOr<Plan> PlanFromProto(const repository::v1::OpenPlanRequest& request) {
  ASSIGN_OR_RETURN(ProjectPolicy policy, PolicyFromProto(request.policy()));
  return Plan{.name = request.plan(),
              .project = "",
              .location = request.location(),
              .target_branch = request.target_branch(),
              .base_commit = request.base_commit(),
              .branch = request.branch(),
              .policy = std::move(policy)};
}

InspectionRequest InspectionFromProto(const v1::InspectRequest& request) {
  return {.attempt = request.attempt(),
          .epoch = request.epoch(),
          .base_commit = request.base_commit(),
          .patch = request.patch(),
          .expected_tree = request.expected_tree(),
          .allowed_paths = ListFrom(request.allowed_paths()),
          .title = request.title(),
          .approver = request.approver()};
}

EvidenceReport EvidenceFromProto(const v1::RecordEvidenceRequest& request) {
  EvidenceReport report{.candidate = request.candidate(),
                        .tree = request.tree(),
                        .validator_digest = request.validator_digest(),
                        .results = {},
                        .attempt = request.attempt()};
  for (const v1::ValidatorResult& result : request.results()) {
    report.results.push_back({.validator = result.validator(),
                              .passed = result.passed(),
                              .exit_code = result.exit_code(),
                              .timed_out = result.timed_out(),
                              .run_duration = rpc::FromProto(result.run_duration()),
                              .output_tail = result.output_tail(),
                              .failures = ListFrom(result.failures())});
  }
  return report;
}

FailedTask FailedTaskFromProto(const v1::DiagnoseRequest& request) {
  return {.title = request.title(),
          .description = request.description(),
          .acceptance = ListFrom(request.acceptance()),
          .allowed_paths = ListFrom(request.allowed_paths()),
          .question = request.question(),
          .feedback = ListFrom(request.feedback()),
          .attempts = ListFrom(request.attempts()),
          .change = ""};
}

JudgeRequest JudgeFromProto(const v1::JudgeRequest& request) {
  return {.candidate = request.candidate(),
          .title = request.title(),
          .description = request.description(),
          .acceptance = ListFrom(request.acceptance()),
          .critical = request.critical(),
          .round = request.round()};
}

v1::InspectResponse InspectionToProto(const Inspection& inspection) {
  v1::InspectResponse response;
  if (inspection.accepted) {
    v1::InspectResponse::Accepted& accepted = *response.mutable_accepted();
    accepted.set_commit(inspection.commit);
    accepted.set_tree(inspection.tree);
    accepted.mutable_paths()->Assign(inspection.paths.begin(), inspection.paths.end());
    accepted.set_added(inspection.added);
    accepted.set_removed(inspection.removed);
    return response;
  }
  v1::InspectResponse::Refused& refused = *response.mutable_refused();
  refused.set_human_may_accept(inspection.human_may_accept);
  for (const Finding& finding : inspection.findings) {
    *refused.add_reasons() = ReasonToProto(finding);
  }
  return response;
}

v1::Candidate CandidateToProto(const CandidateState& state) {
  v1::Candidate message;
  message.set_name(state.candidate.name);
  message.set_commit(state.candidate.commit);
  message.set_tree(state.candidate.tree);
  message.set_base(state.candidate.base);
  message.set_method(NameOf(state.candidate.method));
  message.set_validator_digest(state.candidate.validator_digest);
  message.set_evidence_passed(state.evidence_passed);
  for (const Validator& validator : state.validators) {
    common::v1::Validator& added = *message.add_validators();
    added.set_name(validator.name);
    added.mutable_command()->Assign(validator.command.begin(), validator.command.end());
    if (validator.run_timeout > absl::ZeroDuration()) {
      *added.mutable_run_timeout() = rpc::ToProto(validator.run_timeout);
    }
    added.set_directory(validator.directory);
    added.set_output_format(validator.output_format);
  }
  return message;
}

v1::Conflict ConflictToProto(const ConflictReport& report) {
  v1::Conflict message;
  message.set_base(report.base);
  for (const ConflictedPath& path : report.paths) {
    v1::ConflictedPath& added = *message.add_paths();
    added.set_path(path.path);
    added.set_kind(path.kind);
    added.set_hunks(path.hunks);
  }
  return message;
}

v1::GetQueueResponse::Place PlaceToProto(const QueuePlace& place) {
  v1::GetQueueResponse::Place message;
  message.set_attempt(place.change);
  message.set_step(NameOf(place.step));
  message.set_detail(place.why);
  message.set_base(place.base);
  message.set_commit(place.commit);
  message.set_batch(place.group);
  message.set_ready(place.ready);
  return message;
}

v1::RollBackResponse RollbackToProto(const Rollback& rollback) {
  v1::RollBackResponse message;
  message.set_branch(rollback.branch);
  message.set_from(rollback.from);
  message.set_target(rollback.target);
  message.set_commit(rollback.commit);
  message.set_tree(rollback.tree);
  *message.mutable_undone_tasks() = {rollback.undone_tasks.begin(), rollback.undone_tasks.end()};
  *message.mutable_restored_tasks() = {rollback.restored_tasks.begin(),
                                       rollback.restored_tasks.end()};
  return message;
}

v1::Merged MergedToProto(const Merged& merged) {
  v1::Merged message;
  message.set_branch(merged.branch);
  message.set_commit(merged.commit);
  message.set_tree(merged.tree);
  message.set_detail(merged.detail);
  return message;
}

v1::JudgeResponse VerdictToProto(const Verdict& verdict) {
  v1::JudgeResponse response;
  switch (verdict.kind) {
    case VerdictKind::kPassed:
      response.set_verdict(v1::VERDICT_PASSED);
      break;
    case VerdictKind::kGapsFound:
      response.set_verdict(v1::VERDICT_GAPS_FOUND);
      break;
    case VerdictKind::kHumanNeeded:
      response.set_verdict(v1::VERDICT_HUMAN_NEEDED);
      break;
  }
  response.set_summary(verdict.summary);
  response.mutable_gaps()->Assign(verdict.gaps.begin(), verdict.gaps.end());
  return response;
}

v1::DiagnoseResponse DiagnosisToProto(const Diagnosis& diagnosis) {
  v1::DiagnoseResponse response;
  response.set_cause(diagnosis.cause);
  response.mutable_findings()->Assign(diagnosis.findings.begin(), diagnosis.findings.end());
  response.set_guidance(diagnosis.guidance);
  // The numbers are the same.
  response.set_advice(static_cast<v1::DiagnoseResponse::Advice>(diagnosis.advice));
  response.set_role(diagnosis.role);
  return response;
}

v1::ValidatorResult ResultToProto(const ValidatorResult& result) {
  v1::ValidatorResult message;
  message.set_validator(result.validator);
  message.set_passed(result.passed);
  message.set_exit_code(result.exit_code);
  message.set_timed_out(result.timed_out);
  *message.mutable_run_duration() = rpc::ToProto(result.run_duration);
  message.set_output_tail(result.output_tail);
  message.mutable_failures()->Assign(result.failures.begin(), result.failures.end());
  return message;
}

}  // namespace slipway::reviewer
