#include "services/planner/domain/stored_form.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "services/planner/domain/errors.h"

namespace slipway::planner {
namespace {

using Json = nlohmann::json;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <typename T>
void Read(const Json& json, const char* field, T& value) {
  const auto found = json.find(field);
  if (found != json.end()) found->get_to(value);
}

void ReadDuration(const Json& json, const char* field, absl::Duration& value) {
  int64_t microseconds = 0;
  Read(json, field, microseconds);
  value = absl::Microseconds(microseconds);
}

template <typename E>
void ReadEnum(const Json& json, const char* field, E& value) {
  int number = static_cast<int>(value);
  Read(json, field, number);
  value = static_cast<E>(number);
}

Json ToJson(const Task& task) {
  return {{"id", task.id},
          {"title", task.title},
          {"description", task.description},
          {"depends_on", task.depends_on},
          {"intent", task.intent},
          {"complexity", static_cast<int>(task.complexity)},
          {"role", task.role},
          {"allowed_paths", task.allowed_paths},
          {"acceptance", task.acceptance},
          {"priority", task.priority},
          {"critical", task.critical},
          {"limit_usd_nanos", task.limit_usd_nanos},
          {"attempt_timeout_us", absl::ToInt64Microseconds(task.attempt_timeout)},
          {"context_paths", task.context_paths},
          {"estimate_usd_nanos", task.estimate_usd_nanos},
          {"estimate_us", absl::ToInt64Microseconds(task.estimate_duration)},
          {"phase", task.phase}};
}

Task TaskFrom(const Json& json) {
  Task task;
  Read(json, "id", task.id);
  Read(json, "title", task.title);
  Read(json, "description", task.description);
  Read(json, "depends_on", task.depends_on);
  Read(json, "intent", task.intent);
  ReadEnum(json, "complexity", task.complexity);
  Read(json, "role", task.role);
  Read(json, "allowed_paths", task.allowed_paths);
  Read(json, "acceptance", task.acceptance);
  Read(json, "priority", task.priority);
  Read(json, "critical", task.critical);
  Read(json, "limit_usd_nanos", task.limit_usd_nanos);
  ReadDuration(json, "attempt_timeout_us", task.attempt_timeout);
  Read(json, "context_paths", task.context_paths);
  Read(json, "estimate_usd_nanos", task.estimate_usd_nanos);
  ReadDuration(json, "estimate_us", task.estimate_duration);
  Read(json, "phase", task.phase);
  return task;
}

PlanContent ContentFrom(const Json& json) {
  PlanContent content;
  Read(json, "summary", content.summary);
  for (const Json& task : json.at("tasks")) content.tasks.push_back(TaskFrom(task));
  for (const Json& stored : json.at("requirements")) {
    Requirement& requirement = content.requirements.emplace_back();
    Read(stored, "id", requirement.id);
    Read(stored, "text", requirement.text);
    Read(stored, "tasks", requirement.tasks);
  }
  Read(json, "open_questions", content.open_questions);
  Read(json, "risks", content.risks);
  Read(json, "test_strategy", content.test_strategy);
  Read(json, "waves", content.waves);
  Read(json, "critical_path", content.critical_path);
  Read(json, "estimate_usd_nanos", content.estimate_usd_nanos);
  ReadDuration(json, "estimate_us", content.estimate_duration);
  return content;
}

Json ToJson(const Validator& validator) {
  return {{"name", validator.name},
          {"command", validator.command},
          {"run_timeout_us", absl::ToInt64Microseconds(validator.run_timeout)},
          {"directory", validator.directory},
          {"output_format", validator.output_format}};
}

Json ToJson(const PathPolicy& paths) {
  return {{"allowed", paths.allowed},
          {"forbidden", paths.forbidden},
          {"unprotected", paths.unprotected},
          {"allow_binary", paths.allow_binary},
          {"allow_symlinks", paths.allow_symlinks},
          {"allow_mode_changes", paths.allow_mode_changes},
          {"files_max", paths.files_max},
          {"added_lines_max", paths.added_lines_max},
          {"bytes_max", paths.bytes_max},
          {"trusted_content", paths.trusted_content},
          {"allow_windows_names", paths.allow_windows_names},
          {"allow_renames", paths.allow_renames},
          {"binary_paths", paths.binary_paths},
          {"binary_bytes_max", paths.binary_bytes_max}};
}

PathPolicy PathsFrom(const Json& json) {
  PathPolicy paths;
  Read(json, "allowed", paths.allowed);
  Read(json, "forbidden", paths.forbidden);
  Read(json, "unprotected", paths.unprotected);
  Read(json, "allow_binary", paths.allow_binary);
  Read(json, "allow_symlinks", paths.allow_symlinks);
  Read(json, "allow_mode_changes", paths.allow_mode_changes);
  Read(json, "files_max", paths.files_max);
  Read(json, "added_lines_max", paths.added_lines_max);
  Read(json, "bytes_max", paths.bytes_max);
  Read(json, "trusted_content", paths.trusted_content);
  Read(json, "allow_windows_names", paths.allow_windows_names);
  Read(json, "allow_renames", paths.allow_renames);
  Read(json, "binary_paths", paths.binary_paths);
  Read(json, "binary_bytes_max", paths.binary_bytes_max);
  return paths;
}

ProjectPolicy PolicyFrom(const Json& json) {
  ProjectPolicy policy;
  for (const Json& stored : json.at("validators")) {
    Validator& validator = policy.validators.emplace_back();
    Read(stored, "name", validator.name);
    Read(stored, "command", validator.command);
    ReadDuration(stored, "run_timeout_us", validator.run_timeout);
    Read(stored, "directory", validator.directory);
    Read(stored, "output_format", validator.output_format);
  }
  policy.paths = PathsFrom(json.at("paths"));
  Read(json, "critic_role", policy.review.critic_role);
  Read(json, "council_roles", policy.review.council_roles);
  Read(json, "diagnosis_role", policy.review.diagnosis_role);
  Read(json, "human_approval", policy.review.human_approval);
  ReadEnum(json, "integration_mode", policy.integration_mode);
  if (json.contains("retries_max")) policy.attempts.retries_max = json.at("retries_max").get<int>();
  ReadDuration(json, "attempt_timeout_us", policy.attempts.attempt_timeout);
  Read(json, "task_limit_usd_nanos", policy.attempts.task_limit_usd_nanos);
  Read(json, "skip_agent_checks", policy.attempts.skip_agent_checks);
  Read(json, "parallel_max", policy.parallel_max);
  return policy;
}

template <typename T>
absl::StatusOr<T> Decode(absl::string_view text, T (*from)(const Json&)) {
  try {
    return from(Json::parse(text.begin(), text.end()));
  } catch (const Json::exception& problem) {
    return StoredPlanInvalid(problem.what());
  }
}

}  // namespace

std::string EncodeContent(const PlanContent& content) {
  Json tasks = Json::array();
  for (const Task& task : content.tasks) tasks.push_back(ToJson(task));
  Json requirements = Json::array();
  for (const Requirement& requirement : content.requirements) {
    requirements.push_back(
        {{"id", requirement.id}, {"text", requirement.text}, {"tasks", requirement.tasks}});
  }
  return Dump({{"summary", content.summary},
               {"tasks", std::move(tasks)},
               {"requirements", std::move(requirements)},
               {"open_questions", content.open_questions},
               {"risks", content.risks},
               {"test_strategy", content.test_strategy},
               {"waves", content.waves},
               {"critical_path", content.critical_path},
               {"estimate_usd_nanos", content.estimate_usd_nanos},
               {"estimate_us", absl::ToInt64Microseconds(content.estimate_duration)}});
}

absl::StatusOr<PlanContent> DecodeContent(absl::string_view json) {
  return Decode(json, ContentFrom);
}

std::string EncodePolicy(const ProjectPolicy& policy) {
  Json validators = Json::array();
  for (const Validator& validator : policy.validators) validators.push_back(ToJson(validator));
  Json json = {{"validators", std::move(validators)},
               {"paths", ToJson(policy.paths)},
               {"critic_role", policy.review.critic_role},
               {"council_roles", policy.review.council_roles},
               {"diagnosis_role", policy.review.diagnosis_role},
               {"human_approval", policy.review.human_approval},
               {"integration_mode", static_cast<int>(policy.integration_mode)},
               {"attempt_timeout_us", absl::ToInt64Microseconds(policy.attempts.attempt_timeout)},
               {"task_limit_usd_nanos", policy.attempts.task_limit_usd_nanos},
               {"skip_agent_checks", policy.attempts.skip_agent_checks},
               {"parallel_max", policy.parallel_max}};
  if (policy.attempts.retries_max.has_value()) json["retries_max"] = *policy.attempts.retries_max;
  return Dump(json);
}

absl::StatusOr<ProjectPolicy> DecodePolicy(absl::string_view json) {
  return Decode(json, PolicyFrom);
}

}  // namespace slipway::planner
