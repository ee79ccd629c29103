#include "services/planner/rpc/convert.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"
#include "services/planner/rpc/policy_convert.h"

namespace slipway::planner {
namespace {

v1::PlanTask TaskToProto(const Task& task) {
  v1::PlanTask message;
  message.set_id(task.id);
  message.set_title(task.title);
  message.set_description(task.description);
  message.mutable_depends_on()->Assign(task.depends_on.begin(), task.depends_on.end());
  message.set_intent(task.intent);
  message.set_complexity(static_cast<v1::PlanTask::Complexity>(task.complexity));
  message.set_role(task.role);
  message.mutable_allowed_paths()->Assign(task.allowed_paths.begin(), task.allowed_paths.end());
  message.mutable_acceptance()->Assign(task.acceptance.begin(), task.acceptance.end());
  message.set_priority(task.priority);
  message.set_critical(task.critical);
  message.set_limit_usd_nanos(task.limit_usd_nanos);
  if (task.attempt_timeout > absl::ZeroDuration()) {
    *message.mutable_attempt_timeout() = rpc::ToProto(task.attempt_timeout);
  }
  message.mutable_context_paths()->Assign(task.context_paths.begin(), task.context_paths.end());
  message.set_estimate_usd_nanos(task.estimate_usd_nanos);
  *message.mutable_estimate_duration() = rpc::ToProto(task.estimate_duration);
  message.set_phase(task.phase);
  return message;
}

template <typename Repeated>
std::vector<std::string> Strings(const Repeated& values) {
  return {values.begin(), values.end()};
}

}  // namespace

absl::StatusOr<Rigor> RigorFromProto(v1::Rigor rigor) {
  if (!v1::Rigor_IsValid(rigor)) {
    return PolicyInvalid("rigor", absl::StrCat("there is no rigor ", static_cast<int>(rigor)));
  }
  return static_cast<Rigor>(rigor);
}

absl::StatusOr<std::string> ProjectIdOf(const std::string& name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, base::MatchName("projects/*", name));
  return ids[0];
}

absl::StatusOr<PlanName> PlanNameOf(const std::string& name) {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, base::MatchName("projects/*/plans/*", name));
  return PlanName{.project = ids[0], .id = ids[1]};
}

absl::StatusOr<int> PageSizeOf(int32_t size) {
  if (size < 0)
    return PageInvalid(absl::StrCat("page_size is ", size, ", it must not be negative"));
  return size == 0 ? kPageSizeDefault : std::min(size, kPageSizeMax);
}

absl::StatusOr<Project> FromProto(const v1::Project& message) {
  Project project;
  ASSIGN_OR_RETURN(project.id, ProjectIdOf(message.name()));
  ASSIGN_OR_RETURN(project.rigor, RigorFromProto(message.rigor()));
  ASSIGN_OR_RETURN(project.policy, PolicyFromProto(message.policy()));
  project.title = message.title();
  project.repository = message.repository();
  project.target_branch = message.target_branch();
  project.plan_tier = message.plan_tier();
  project.state = message.state() == v1::Project::STATE_ARCHIVED ? ProjectState::kArchived
                                                                 : ProjectState::kActive;
  project.version = message.version();
  return project;
}

v1::Project ToProto(const Project& project) {
  v1::Project message;
  message.set_name(project.name());
  message.set_title(project.title);
  message.set_repository(project.repository);
  message.set_target_branch(project.target_branch);
  message.set_plan_tier(project.plan_tier);
  message.set_rigor(static_cast<v1::Rigor>(project.rigor));
  *message.mutable_policy() = ToProto(project.policy);
  message.set_state(static_cast<v1::Project::State>(project.state));
  message.set_version(project.version);
  *message.mutable_create_time() = rpc::ToProto(project.create_time);
  return message;
}

v1::Amendment ToProto(const Amendment& amendment) {
  v1::Amendment message;
  message.set_state(static_cast<v1::Amendment::State>(amendment.state));
  message.set_version(amendment.version);
  message.set_base_version(amendment.base_version);
  for (const Task& task : amendment.delta.added) message.add_added_tasks(task.id);
  for (const TaskChange& change : amendment.delta.changed) {
    message.add_changed_tasks(change.task.id);
  }
  message.mutable_removed_tasks()->Assign(amendment.delta.removed.begin(),
                                          amendment.delta.removed.end());
  message.mutable_changes()->Assign(amendment.changes.begin(), amendment.changes.end());
  message.set_estimate_change_usd_nanos(amendment.estimate_change_usd_nanos);
  *message.mutable_estimate_change_duration() = rpc::ToProto(amendment.estimate_change_duration);
  message.set_failure(amendment.failure);
  return message;
}

v1::Plan ToProto(const PlanHead& head) {
  v1::Plan message;
  message.set_name(head.name());
  message.set_title(head.title);
  message.set_state(static_cast<v1::Plan::State>(head.state));
  message.set_version(head.version);
  message.set_approved_version(head.approved_version);
  message.set_rigor(static_cast<v1::Rigor>(head.rigor));
  message.set_base_commit(head.base_commit);
  message.set_branch(head.branch);
  if (head.amendment != AmendmentState::kNone) {
    v1::Amendment& amendment = *message.mutable_amendment();
    amendment.set_state(static_cast<v1::Amendment::State>(head.amendment));
    amendment.set_version(head.version);
    amendment.set_base_version(head.approved_version);
    amendment.set_failure(head.amendment_failure);
  }
  message.set_failure(head.failure);
  message.set_approver(head.approver);
  *message.mutable_create_time() = rpc::ToProto(head.create_time);
  *message.mutable_update_time() = rpc::ToProto(head.update_time);
  return message;
}

v1::Plan ToProto(const Plan& plan) {
  v1::Plan message = ToProto(plan.head);
  if (plan.amendment.has_value()) *message.mutable_amendment() = ToProto(*plan.amendment);
  const PlanContent& content = plan.content;
  message.set_spec(plan.spec);
  message.set_summary(content.summary);
  for (const Task& task : content.tasks) *message.add_tasks() = TaskToProto(task);
  for (const Requirement& requirement : content.requirements) {
    v1::Requirement* const added = message.add_requirements();
    added->set_id(requirement.id);
    added->set_text(requirement.text);
    added->mutable_tasks()->Assign(requirement.tasks.begin(), requirement.tasks.end());
  }
  message.mutable_open_questions()->Assign(content.open_questions.begin(),
                                           content.open_questions.end());
  message.mutable_risks()->Assign(content.risks.begin(), content.risks.end());
  message.set_test_strategy(content.test_strategy);
  for (const std::vector<std::string>& wave : content.waves) {
    message.add_waves()->mutable_tasks()->Assign(wave.begin(), wave.end());
  }
  message.mutable_critical_path()->Assign(content.critical_path.begin(),
                                          content.critical_path.end());
  message.set_estimate_usd_nanos(content.estimate_usd_nanos);
  *message.mutable_estimate_duration() = rpc::ToProto(content.estimate_duration);
  return message;
}

absl::StatusOr<Task> FromProto(const v1::PlanTask& message) {
  if (!v1::PlanTask::Complexity_IsValid(message.complexity())) {
    return TaskInvalid(message.id(), absl::StrCat("there is no complexity ",
                                                  static_cast<int>(message.complexity())));
  }
  Task task;
  task.id = message.id();
  task.title = message.title();
  task.description = message.description();
  task.depends_on = Strings(message.depends_on());
  task.intent = message.intent();
  task.complexity = message.complexity() == v1::PlanTask::COMPLEXITY_UNSPECIFIED
                        ? Complexity::kMedium
                        : static_cast<Complexity>(message.complexity());
  task.role = message.role();
  task.allowed_paths = Strings(message.allowed_paths());
  task.acceptance = Strings(message.acceptance());
  task.priority = message.priority();
  task.critical = message.critical();
  task.limit_usd_nanos = message.limit_usd_nanos();
  task.attempt_timeout = rpc::FromProto(message.attempt_timeout());
  task.context_paths = Strings(message.context_paths());
  task.phase = message.phase();
  return task;
}

absl::StatusOr<std::vector<Task>> FromProto(
    const google::protobuf::RepeatedPtrField<v1::PlanTask>& messages) {
  std::vector<Task> tasks;
  tasks.reserve(messages.size());
  for (const v1::PlanTask& message : messages) {
    ASSIGN_OR_RETURN(Task task, FromProto(message));
    tasks.push_back(std::move(task));
  }
  return tasks;
}

TaskEdit FromProto(const v1::TaskEdit& message) {
  TaskEdit edit;
  edit.task = message.task();
  if (message.has_priority()) edit.priority = message.priority();
  if (message.has_role()) edit.role = message.role();
  if (message.has_title()) edit.title = message.title();
  if (message.has_description()) edit.description = message.description();
  if (message.has_limit_usd_nanos()) edit.limit_usd_nanos = message.limit_usd_nanos();
  if (message.has_allowed_paths()) edit.allowed_paths = Strings(message.allowed_paths().values());
  if (message.has_depends_on()) edit.depends_on = Strings(message.depends_on().values());
  if (message.has_acceptance()) edit.acceptance = Strings(message.acceptance().values());
  edit.remove = message.remove();
  return edit;
}

absl::StatusOr<PlanContent> ContentFromProto(const v1::Plan& plan) {
  PlanContent content;
  content.summary = plan.summary();
  ASSIGN_OR_RETURN(content.tasks, FromProto(plan.tasks()));
  for (const v1::Requirement& requirement : plan.requirements()) {
    content.requirements.push_back(
        {requirement.id(), requirement.text(), Strings(requirement.tasks())});
  }
  content.open_questions = Strings(plan.open_questions());
  content.risks = Strings(plan.risks());
  content.test_strategy = plan.test_strategy();
  return content;
}

}  // namespace slipway::planner
