#include "services/dispatcher/rpc/convert.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"
#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {
namespace {

template <typename Repeated>
std::vector<std::string> Strings(const Repeated& repeated) {
  return {repeated.begin(), repeated.end()};
}

TaskSpec TaskSpecFromProto(const v1::TaskSpec& proto) {
  return {.id = proto.id(),
          .title = proto.title(),
          .description = proto.description(),
          .depends_on = Strings(proto.depends_on()),
          .intent = proto.intent(),
          .role = proto.role(),
          .allowed_paths = Strings(proto.allowed_paths()),
          .context_paths = Strings(proto.context_paths()),
          .acceptance = Strings(proto.acceptance()),
          .priority = proto.priority(),
          .critical = proto.critical(),
          .limit_usd_nanos = proto.limit_usd_nanos(),
          .attempt_timeout = rpc::FromProto(proto.attempt_timeout()),
          .estimate = rpc::FromProto(proto.estimate_duration()),
          .complexity = proto.complexity()};
}

void SpecToProto(const TaskSpec& spec, v1::TaskSpec& proto) {
  proto.set_id(spec.id);
  proto.set_title(spec.title);
  proto.set_description(spec.description);
  proto.mutable_depends_on()->Add(spec.depends_on.begin(), spec.depends_on.end());
  proto.set_intent(spec.intent);
  proto.set_role(spec.role);
  proto.mutable_allowed_paths()->Add(spec.allowed_paths.begin(), spec.allowed_paths.end());
  proto.mutable_context_paths()->Add(spec.context_paths.begin(), spec.context_paths.end());
  proto.mutable_acceptance()->Add(spec.acceptance.begin(), spec.acceptance.end());
  proto.set_priority(spec.priority);
  proto.set_critical(spec.critical);
  proto.set_limit_usd_nanos(spec.limit_usd_nanos);
  if (spec.attempt_timeout > absl::ZeroDuration()) {
    *proto.mutable_attempt_timeout() = rpc::ToProto(spec.attempt_timeout);
  }
  proto.set_complexity(spec.complexity);
  if (spec.estimate > absl::ZeroDuration()) {
    *proto.mutable_estimate_duration() = rpc::ToProto(spec.estimate);
  }
}

RunPolicy PolicyFromProto(const common::v1::ProjectPolicy& proto) {
  RunPolicy policy{.task_limit_usd_nanos = proto.attempts().task_limit_usd_nanos(),
                   .parallel_max = std::max(0, proto.parallel_max()),
                   .human_approval = proto.review().human_approval()};
  if (proto.attempts().has_retries_max()) {
    policy.retries_max = std::max(0, proto.attempts().retries_max());
  }
  const absl::Duration timeout = rpc::FromProto(proto.attempts().attempt_timeout());
  if (timeout > absl::ZeroDuration()) {
    policy.attempt_timeout = std::min(timeout, kAttemptTimeoutMax);
  }
  for (const auto& validator : proto.validators()) {
    policy.validators.push_back(ValidatorFromProto(validator));
  }
  policy.skip_agent_checks = proto.attempts().skip_agent_checks();
  return policy;
}

const char* DriverName(HostDriver driver) {
  switch (driver) {
    case HostDriver::kProcess:
      return "process";
    case HostDriver::kDocker:
      return "docker";
    case HostDriver::kKubernetes:
      return "kubernetes";
    case HostDriver::kExternal:
      return "external";
  }
  return "external";
}

v1::Wait::Reason ToProto(WaitReason reason) {
  switch (reason) {
    case WaitReason::kAgent:
      return v1::Wait::REASON_AGENT;
    case WaitReason::kProjectLimit:
      return v1::Wait::REASON_PROJECT_LIMIT;
    case WaitReason::kPlanLimit:
      return v1::Wait::REASON_PLAN_LIMIT;
    case WaitReason::kCredentialLimit:
      return v1::Wait::REASON_CREDENTIAL_LIMIT;
    case WaitReason::kMergeLane:
      return v1::Wait::REASON_MERGE_LANE;
    case WaitReason::kPathOverlap:
      return v1::Wait::REASON_PATH_OVERLAP;
  }
  return v1::Wait::REASON_UNSPECIFIED;
}

std::string DetailOf(const Wait& wait) {
  switch (wait.reason) {
    case WaitReason::kAgent:
      return "no agent is free";
    case WaitReason::kProjectLimit:
      return absl::StrCat("its project has ", wait.limit, " attempts at once, the most it may");
    case WaitReason::kPlanLimit:
      return absl::StrCat("its plan has ", wait.limit, " attempts at once, the most it may");
    case WaitReason::kCredentialLimit:
      return absl::StrCat("credential ", wait.subject, " has ", wait.limit,
                          " attempts at once, the most it may");
    case WaitReason::kMergeLane:
      return absl::StrCat(wait.limit,
                          " changes of its plan are not merged yet, the most there may be");
    case WaitReason::kPathOverlap:
      return absl::StrCat("task ", wait.subject, " is likely to touch the same paths");
  }
  return "";
}

}  // namespace

void ToProto(const Wait& wait, v1::Wait& proto) {
  proto.set_reason(ToProto(wait.reason));
  proto.set_detail(DetailOf(wait));
}

absl::StatusOr<PlanSpec> PlanSpecFromProto(const v1::PlanSpec& proto) {
  RETURN_IF_ERROR(CheckPlanName(proto.plan()));
  // Messages without maps are written the same way every time.
  PlanSpec spec{.plan = proto.plan(),
                .title = proto.title(),
                .version = proto.version(),
                .branch = proto.branch(),
                .base_commit = proto.base_commit(),
                .policy = PolicyFromProto(proto.policy()),
                .digest = base::Sha256Hex(proto.SerializeAsString())};
  for (const v1::TaskSpec& task : proto.tasks()) spec.tasks.push_back(TaskSpecFromProto(task));
  return spec;
}

absl::StatusOr<PlanAmendment> AmendmentFromProto(const v1::PlanAmendment& proto) {
  RETURN_IF_ERROR(CheckPlanName(proto.plan()));
  // Who approved it says nothing about what it changes.
  v1::PlanAmendment body = proto;
  body.clear_actor();
  PlanAmendment amendment{.plan = proto.plan(),
                          .version = proto.version(),
                          .base_version = proto.base_version(),
                          .removed = Strings(proto.removed_tasks()),
                          .actor = proto.actor(),
                          .digest = base::Sha256Hex(body.SerializeAsString())};
  for (const v1::TaskSpec& task : proto.added_tasks()) {
    amendment.added.push_back(TaskSpecFromProto(task));
  }
  for (const v1::TaskChange& change : proto.changed_tasks()) {
    amendment.changed.push_back(
        {.spec = TaskSpecFromProto(change.spec()), .fields = Strings(change.fields())});
  }
  return amendment;
}

Validator ValidatorFromProto(const common::v1::Validator& proto) {
  return {.name = proto.name(),
          .command = Strings(proto.command()),
          .run_timeout = rpc::FromProto(proto.run_timeout()),
          .directory = proto.directory(),
          .output_format = proto.output_format()};
}

void ToProto(const Validator& validator, common::v1::Validator& proto) {
  proto.set_name(validator.name);
  proto.mutable_command()->Add(validator.command.begin(), validator.command.end());
  if (validator.run_timeout > absl::ZeroDuration()) {
    *proto.mutable_run_timeout() = rpc::ToProto(validator.run_timeout);
  }
  proto.set_directory(validator.directory);
  proto.set_output_format(validator.output_format);
}

void ToProto(const Run& run, bool paused, const std::vector<std::pair<TaskState, int>>& counts,
             v1::Run& proto) {
  proto.set_plan(run.plan);
  proto.set_title(run.title);
  proto.set_state(static_cast<v1::Run::State>(run.state));
  proto.set_paused(paused);
  for (const auto& [state, count] : counts) {
    (*proto.mutable_tasks_by_state())[std::string(Name(state))] = count;
  }
  proto.set_branch(run.branch);
  proto.set_version(run.version);
  proto.set_result(run.result);
  *proto.mutable_start_time() = rpc::ToProto(run.start_time);
  if (run.end_time.has_value()) *proto.mutable_end_time() = rpc::ToProto(*run.end_time);
}

void ToProto(const Task& task, v1::Task& proto) {
  proto.set_name(task.key.Name());
  proto.set_title(task.spec.title);
  proto.set_state(static_cast<v1::Task::State>(task.state));
  proto.set_epoch(task.epoch);
  proto.set_reason(task.reason);
  proto.set_detail(task.detail);
  if (task.resume_time.has_value()) *proto.mutable_resume_time() = rpc::ToProto(*task.resume_time);
  for (const auto& [retry_class, count] : task.progress.retries) {
    if (count > 0) (*proto.mutable_retries())[retry_class] = count;
  }
  SpecToProto(task.spec, *proto.mutable_spec());
  proto.set_merged_commit(task.merged_commit);
  if (task.open_checkpoint > 0) {
    proto.set_checkpoint(CheckpointKey{.task = task.key, .number = task.open_checkpoint}.Name());
  }
  if (task.epoch > 0) proto.set_attempt(task.attempt().Name());
  if (task.ready_time.has_value()) *proto.mutable_ready_time() = rpc::ToProto(*task.ready_time);
  if (task.end_time.has_value()) *proto.mutable_end_time() = rpc::ToProto(*task.end_time);
}

void ToProto(const Attempt& attempt, int64_t log_bytes, v1::Attempt& proto) {
  proto.set_name(attempt.key.Name());
  proto.set_kind(static_cast<v1::Attempt::Kind>(attempt.kind));
  proto.set_state(static_cast<v1::Attempt::State>(attempt.state));
  proto.set_epoch(attempt.key.epoch);
  proto.set_host(attempt.host);
  proto.set_agent(attempt.agent);
  proto.set_reason(attempt.reason);
  proto.set_detail(attempt.detail);
  proto.mutable_feedback()->Add(attempt.feedback.begin(), attempt.feedback.end());
  *proto.mutable_start_time() = rpc::ToProto(attempt.start_time);
  if (attempt.end_time.has_value()) *proto.mutable_end_time() = rpc::ToProto(*attempt.end_time);
  proto.set_log_bytes(log_bytes);
}

void ToProto(const Checkpoint& checkpoint, v1::Checkpoint& proto) {
  proto.set_name(checkpoint.key.Name());
  proto.set_reason(checkpoint.reason);
  proto.set_question(checkpoint.question);
  proto.mutable_evidence()->Add(checkpoint.evidence.begin(), checkpoint.evidence.end());
  for (const Decision option : checkpoint.options) {
    proto.add_options(static_cast<v1::Checkpoint::Decision>(option));
  }
  if (checkpoint.diagnosis.has_value()) {
    const Diagnosis& diagnosis = *checkpoint.diagnosis;
    v1::Diagnosis& shown = *proto.mutable_diagnosis();
    shown.set_cause(diagnosis.cause);
    shown.mutable_findings()->Add(diagnosis.findings.begin(), diagnosis.findings.end());
    shown.set_guidance(diagnosis.guidance);
    shown.set_advice(static_cast<v1::Checkpoint::Decision>(diagnosis.advice));
    shown.set_role(diagnosis.role);
    shown.set_problem(diagnosis.problem);
  }
  proto.set_decision(static_cast<v1::Checkpoint::Decision>(checkpoint.decision));
  proto.set_guidance(checkpoint.guidance);
  proto.set_actor(checkpoint.actor);
  *proto.mutable_open_time() = rpc::ToProto(checkpoint.open_time);
  if (checkpoint.resolve_time.has_value()) {
    *proto.mutable_resolve_time() = rpc::ToProto(*checkpoint.resolve_time);
  }
}

void ToProto(const HostStatus& host, v1::Host& proto) {
  proto.set_name(host.name);
  proto.set_driver(DriverName(host.driver));
  proto.set_slots(host.slots);
  proto.set_agents(host.agents);
  proto.set_busy(host.busy);
  proto.set_wanted(host.wanted);
  proto.set_problem(host.problem);
  proto.set_starting(host.starting);
  proto.set_warm(host.warm);
  proto.set_cordoned(host.order.cordoned);
  proto.set_draining(host.order.draining);
  if (host.order.drain_deadline.has_value()) {
    *proto.mutable_drain_time() = rpc::ToProto(*host.order.drain_deadline);
  }
  proto.set_reason(host.order.reason);
  proto.set_actor(host.order.actor);
}

v1::AuditResponse AuditToProto(const AuditResult& result) {
  v1::AuditResponse proto;
  for (const AuditCheck& check : result.checks) {
    v1::AuditResponse::Check& to = *proto.add_checks();
    to.set_invariant(check.invariant);
    to.set_checked(check.checked);
    for (const std::string& breach : check.breaches) to.add_breaches(breach);
  }
  if (result.time > absl::InfinitePast()) *proto.mutable_audit_time() = rpc::ToProto(result.time);
  return proto;
}

}  // namespace slipway::dispatcher
