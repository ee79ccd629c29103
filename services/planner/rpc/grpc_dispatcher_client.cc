#include "services/planner/rpc/grpc_dispatcher_client.h"

#include "lib/base/status_macros.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/proto_time.h"
#include "services/planner/rpc/convert.h"
#include "services/planner/rpc/service_identity.h"

namespace slipway::planner {
namespace {

using Stub = dispatcher::v1::DispatcherService::StubInterface;

// Ten thousand tasks take the dispatcher a second or two.
constexpr absl::Duration kSubmitTimeout = absl::Minutes(1);
constexpr absl::Duration kReadTimeout = absl::Seconds(10);

dispatcher::v1::TaskSpec ToSpec(const Task& task) {
  dispatcher::v1::TaskSpec spec;
  spec.set_id(task.id);
  spec.set_title(task.title);
  spec.set_description(task.description);
  spec.mutable_depends_on()->Assign(task.depends_on.begin(), task.depends_on.end());
  spec.set_intent(task.intent);
  spec.set_role(task.role);
  spec.mutable_allowed_paths()->Assign(task.allowed_paths.begin(), task.allowed_paths.end());
  spec.mutable_context_paths()->Assign(task.context_paths.begin(), task.context_paths.end());
  spec.mutable_acceptance()->Assign(task.acceptance.begin(), task.acceptance.end());
  spec.set_priority(task.priority);
  spec.set_critical(task.critical);
  spec.set_complexity(static_cast<int32_t>(task.complexity));
  spec.set_limit_usd_nanos(task.limit_usd_nanos);
  if (task.attempt_timeout > absl::ZeroDuration()) {
    *spec.mutable_attempt_timeout() = rpc::ToProto(task.attempt_timeout);
  }
  *spec.mutable_estimate_duration() = rpc::ToProto(task.estimate_duration);
  return spec;
}

Run RunOf(const dispatcher::v1::Run& message) {
  Run run{.state = RunState::kRunning, .detail = message.result()};
  if (message.state() == dispatcher::v1::Run::STATE_SUCCEEDED) run.state = RunState::kSucceeded;
  if (message.state() == dispatcher::v1::Run::STATE_FAILED) run.state = RunState::kFailed;
  if (message.state() == dispatcher::v1::Run::STATE_CANCELLED) run.state = RunState::kCancelled;
  return run;
}

}  // namespace

absl::StatusOr<Run> GrpcDispatcherClient::Submit(const Project& project, const PlanHead& plan,
                                                 const PlanContent& content) {
  dispatcher::v1::SubmitPlanRequest request;
  dispatcher::v1::PlanSpec& spec = *request.mutable_spec();
  spec.set_plan(plan.name());
  spec.set_title(plan.title);
  spec.set_version(plan.approved_version);
  spec.set_repository(project.repository);
  spec.set_target_branch(project.target_branch);
  spec.set_branch(plan.branch);
  spec.set_base_commit(plan.base_commit);
  *spec.mutable_policy() = ToProto(project.policy);
  for (const Task& task : content.tasks) *spec.add_tasks() = ToSpec(task);
  ASSIGN_OR_RETURN(const dispatcher::v1::SubmitPlanResponse response,
                   rpc::CallUnary(*stub_, &Stub::SubmitPlan, request, AsPlanner(kSubmitTimeout)));
  return RunOf(response.run());
}

absl::StatusOr<Run> GrpcDispatcherClient::Amend(const PlanHead& plan, const PlanDelta& delta,
                                                bool validate_only) {
  dispatcher::v1::AmendPlanRequest request;
  request.set_validate_only(validate_only);
  dispatcher::v1::PlanAmendment& amendment = *request.mutable_amendment();
  amendment.set_plan(plan.name());
  amendment.set_version(plan.version);
  amendment.set_base_version(plan.approved_version);
  amendment.set_actor(plan.amendment_approver);
  for (const Task& task : delta.added) *amendment.add_added_tasks() = ToSpec(task);
  for (const TaskChange& change : delta.changed) {
    dispatcher::v1::TaskChange& changed = *amendment.add_changed_tasks();
    *changed.mutable_spec() = ToSpec(change.task);
    changed.mutable_fields()->Assign(change.fields.begin(), change.fields.end());
  }
  amendment.mutable_removed_tasks()->Assign(delta.removed.begin(), delta.removed.end());
  ASSIGN_OR_RETURN(const dispatcher::v1::AmendPlanResponse response,
                   rpc::CallUnary(*stub_, &Stub::AmendPlan, request, AsPlanner(kSubmitTimeout)));
  return RunOf(response.run());
}

absl::StatusOr<Run> GrpcDispatcherClient::GetRun(const std::string& plan) {
  dispatcher::v1::GetRunRequest request;
  request.set_plan(plan);
  ASSIGN_OR_RETURN(const dispatcher::v1::GetRunResponse response,
                   rpc::CallUnary(*stub_, &Stub::GetRun, request, AsPlanner(kReadTimeout)));
  return RunOf(response.run());
}

}  // namespace slipway::planner
