#include "services/planner/rpc/policy_convert.h"

#include "absl/strings/str_cat.h"
#include "lib/rpc/proto_time.h"
#include "services/planner/domain/errors.h"
#include "services/planner/rpc/convert.h"

namespace slipway::planner {
namespace {

PathPolicy PathsFromProto(const common::v1::PathPolicy& message) {
  PathPolicy paths;
  paths.allowed.assign(message.allowed().begin(), message.allowed().end());
  paths.forbidden.assign(message.forbidden().begin(), message.forbidden().end());
  paths.unprotected.assign(message.unprotected().begin(), message.unprotected().end());
  paths.allow_binary = message.allow_binary();
  paths.allow_symlinks = message.allow_symlinks();
  paths.allow_mode_changes = message.allow_mode_changes();
  paths.files_max = message.files_max();
  paths.added_lines_max = message.added_lines_max();
  paths.bytes_max = message.bytes_max();
  paths.trusted_content = message.trusted_content();
  paths.allow_windows_names = message.allow_windows_names();
  paths.allow_renames = message.allow_renames();
  paths.binary_paths.assign(message.binary_paths().begin(), message.binary_paths().end());
  paths.binary_bytes_max = message.binary_bytes_max();
  return paths;
}

void PathsToProto(const PathPolicy& paths, common::v1::PathPolicy& message) {
  message.mutable_allowed()->Assign(paths.allowed.begin(), paths.allowed.end());
  message.mutable_forbidden()->Assign(paths.forbidden.begin(), paths.forbidden.end());
  message.mutable_unprotected()->Assign(paths.unprotected.begin(), paths.unprotected.end());
  message.set_allow_binary(paths.allow_binary);
  message.set_allow_symlinks(paths.allow_symlinks);
  message.set_allow_mode_changes(paths.allow_mode_changes);
  message.set_files_max(paths.files_max);
  message.set_added_lines_max(paths.added_lines_max);
  message.set_bytes_max(paths.bytes_max);
  message.set_trusted_content(paths.trusted_content);
  message.set_allow_windows_names(paths.allow_windows_names);
  message.set_allow_renames(paths.allow_renames);
  message.mutable_binary_paths()->Assign(paths.binary_paths.begin(), paths.binary_paths.end());
  message.set_binary_bytes_max(paths.binary_bytes_max);
}

}  // namespace

absl::StatusOr<ProjectPolicy> PolicyFromProto(const common::v1::ProjectPolicy& message) {
  ProjectPolicy policy;
  for (const common::v1::Validator& validator : message.validators()) {
    policy.validators.push_back(
        {.name = validator.name(),
         .command = {validator.command().begin(), validator.command().end()},
         .run_timeout = rpc::FromProto(validator.run_timeout()),
         .directory = validator.directory(),
         .output_format = validator.output_format()});
  }
  policy.paths = PathsFromProto(message.paths());
  policy.review.critic_role = message.review().critic_role();
  policy.review.council_roles.assign(message.review().council_roles().begin(),
                                     message.review().council_roles().end());
  policy.review.diagnosis_role = message.review().diagnosis_role();
  policy.review.human_approval = message.review().human_approval();
  const auto mode = message.integration().mode();
  if (!common::v1::IntegrationPolicy::Mode_IsValid(mode)) {
    return PolicyInvalid("policy.integration.mode",
                         absl::StrCat("there is no mode ", static_cast<int>(mode)));
  }
  policy.integration_mode = static_cast<IntegrationMode>(mode);
  if (message.attempts().has_retries_max()) {
    policy.attempts.retries_max = message.attempts().retries_max();
  }
  policy.attempts.attempt_timeout = rpc::FromProto(message.attempts().attempt_timeout());
  policy.attempts.task_limit_usd_nanos = message.attempts().task_limit_usd_nanos();
  policy.attempts.skip_agent_checks = message.attempts().skip_agent_checks();
  policy.parallel_max = message.parallel_max();
  return policy;
}

common::v1::ProjectPolicy ToProto(const ProjectPolicy& policy) {
  common::v1::ProjectPolicy message;
  for (const Validator& validator : policy.validators) {
    common::v1::Validator* const added = message.add_validators();
    added->set_name(validator.name);
    added->mutable_command()->Assign(validator.command.begin(), validator.command.end());
    if (validator.run_timeout > absl::ZeroDuration()) {
      *added->mutable_run_timeout() = rpc::ToProto(validator.run_timeout);
    }
    added->set_directory(validator.directory);
    added->set_output_format(validator.output_format);
  }
  PathsToProto(policy.paths, *message.mutable_paths());
  common::v1::ReviewPolicy& review = *message.mutable_review();
  review.set_critic_role(policy.review.critic_role);
  review.mutable_council_roles()->Assign(policy.review.council_roles.begin(),
                                         policy.review.council_roles.end());
  review.set_diagnosis_role(policy.review.diagnosis_role);
  review.set_human_approval(policy.review.human_approval);
  message.mutable_integration()->set_mode(
      static_cast<common::v1::IntegrationPolicy::Mode>(policy.integration_mode));
  common::v1::AttemptPolicy& attempts = *message.mutable_attempts();
  if (policy.attempts.retries_max.has_value()) {
    attempts.set_retries_max(*policy.attempts.retries_max);
  }
  if (policy.attempts.attempt_timeout > absl::ZeroDuration()) {
    *attempts.mutable_attempt_timeout() = rpc::ToProto(policy.attempts.attempt_timeout);
  }
  attempts.set_task_limit_usd_nanos(policy.attempts.task_limit_usd_nanos);
  attempts.set_skip_agent_checks(policy.attempts.skip_agent_checks);
  message.set_parallel_max(policy.parallel_max);
  return message;
}

}  // namespace slipway::planner
