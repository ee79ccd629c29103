#include "services/dispatcher/storage/task_json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/json_object.h"

namespace slipway::dispatcher {
namespace {

using base::JsonObject;
using nlohmann::json;

int64_t Micros(absl::Duration duration) { return absl::ToInt64Microseconds(duration); }

// Bytes of other processes need not be UTF-8: then they are replaced.
std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <typename T>
T Get(const json& object, const char* key, T otherwise = T()) {
  return object.value(key, std::move(otherwise));
}

absl::Duration GetDuration(const json& object, const char* key) {
  return absl::Microseconds(Get<int64_t>(object, key));
}

template <typename T, typename Read>
absl::StatusOr<T> Parse(const std::string& text, Read read) {
  try {
    return read(json::parse(text));
  } catch (const json::exception& error) {
    return base::Error(absl::StatusCode::kDataLoss, "ROW_JSON",
                       absl::StrCat("a row of the database cannot be read: ", error.what()));
  }
}

std::string ValidatorJson(const Validator& validator) {
  return JsonObject()
      .Add("name", validator.name)
      .Add("command", validator.command)
      .Add("run_timeout_us", Micros(validator.run_timeout))
      .Add("directory", validator.directory)
      .Add("output_format", validator.output_format)
      .Take();
}

std::string ValidatorsJson(const std::vector<Validator>& validators) {
  std::string array = "[";
  for (const Validator& validator : validators) {
    absl::StrAppend(&array, array.size() > 1 ? "," : "", ValidatorJson(validator));
  }
  return array + "]";
}

std::vector<Validator> ReadValidators(const json& object) {
  std::vector<Validator> validators;
  for (const json& value : object.value("validators", json::array())) {
    validators.push_back({.name = Get<std::string>(value, "name"),
                          .command = Get<std::vector<std::string>>(value, "command"),
                          .run_timeout = GetDuration(value, "run_timeout_us"),
                          .directory = Get<std::string>(value, "directory"),
                          .output_format = Get<std::string>(value, "output_format")});
  }
  return validators;
}

Candidate ReadCandidate(const json& value) {
  return {.name = Get<std::string>(value, "name"),
          .commit = Get<std::string>(value, "commit"),
          .tree = Get<std::string>(value, "tree"),
          .validator_digest = Get<std::string>(value, "validator_digest"),
          .validators = ReadValidators(value),
          .evidence_passed = Get<bool>(value, "evidence_passed")};
}

}  // namespace

std::string ToJson(const TaskSpec& spec) {
  return JsonObject()
      .Add("id", spec.id)
      .Add("title", spec.title)
      .Add("description", spec.description)
      .Add("depends_on", spec.depends_on)
      .Add("intent", spec.intent)
      .Add("role", spec.role)
      .Add("allowed_paths", spec.allowed_paths)
      .Add("context_paths", spec.context_paths)
      .Add("acceptance", spec.acceptance)
      .Add("priority", spec.priority)
      .Add("critical", spec.critical)
      .Add("limit_usd_nanos", spec.limit_usd_nanos)
      .Add("attempt_timeout_us", Micros(spec.attempt_timeout))
      .Add("estimate_us", Micros(spec.estimate))
      .Add("complexity", spec.complexity)
      .Take();
}

absl::StatusOr<TaskSpec> TaskSpecFromJson(const std::string& text) {
  using Strings = std::vector<std::string>;
  return Parse<TaskSpec>(text, [](const json& value) {
    return TaskSpec{.id = Get<std::string>(value, "id"),
                    .title = Get<std::string>(value, "title"),
                    .description = Get<std::string>(value, "description"),
                    .depends_on = Get<Strings>(value, "depends_on"),
                    .intent = Get<std::string>(value, "intent"),
                    .role = Get<std::string>(value, "role"),
                    .allowed_paths = Get<Strings>(value, "allowed_paths"),
                    .context_paths = Get<Strings>(value, "context_paths"),
                    .acceptance = Get<Strings>(value, "acceptance"),
                    .priority = Get<int>(value, "priority"),
                    .critical = Get<bool>(value, "critical"),
                    .limit_usd_nanos = Get<int64_t>(value, "limit_usd_nanos"),
                    .attempt_timeout = GetDuration(value, "attempt_timeout_us"),
                    .estimate = GetDuration(value, "estimate_us"),
                    .complexity = Get<int>(value, "complexity")};
  });
}

std::string ToJson(const Progress& progress) {
  JsonObject value;
  const auto add = [&value](absl::string_view name, const auto& member) {
    if (member != std::decay_t<decltype(member)>()) value.Add(name, member);
  };
  add("retries", progress.retries);
  add("feedback", progress.feedback);
  add("guidance", progress.guidance);
  add("work_epoch", progress.work_epoch);
  add("inspected", progress.inspected);
  add("queue_number", progress.queue_number);
  add("landing", progress.landing);
  add("judge_round", progress.judge_round);
  add("patch_approver", progress.patch_approver);
  add("approver", progress.approver);
  if (progress.paused_in != TaskState::kReady) {
    value.Add("paused_in", static_cast<int>(progress.paused_in));
  }
  add("step_failures", progress.step_failures);
  add("checkpoints", progress.checkpoints);
  add("last_host", progress.last_host);
  add("fingerprint", progress.fingerprint);
  add("same_failures", progress.same_failures);
  add("deaths", progress.deaths);
  if (progress.candidate.has_value()) {
    const Candidate& candidate = *progress.candidate;
    value.AddJson("candidate", JsonObject()
                                   .Add("name", candidate.name)
                                   .Add("commit", candidate.commit)
                                   .Add("tree", candidate.tree)
                                   .Add("validator_digest", candidate.validator_digest)
                                   .AddJson("validators", ValidatorsJson(candidate.validators))
                                   .Add("evidence_passed", candidate.evidence_passed)
                                   .Take());
  }
  return value.Take();
}

absl::StatusOr<Progress> ProgressFromJson(const std::string& text) {
  return Parse<Progress>(text, [](const json& value) {
    Progress progress{.retries = Get<std::map<std::string, int>>(value, "retries"),
                      .feedback = Get<std::vector<std::string>>(value, "feedback"),
                      .guidance = Get<std::string>(value, "guidance"),
                      .work_epoch = Get<int64_t>(value, "work_epoch"),
                      .inspected = Get<bool>(value, "inspected"),
                      .queue_number = Get<int64_t>(value, "queue_number", 0),
                      .landing = Get<bool>(value, "landing"),
                      .judge_round = Get<int>(value, "judge_round"),
                      .patch_approver = Get<std::string>(value, "patch_approver"),
                      .approver = Get<std::string>(value, "approver"),
                      .paused_in = static_cast<TaskState>(
                          Get<int>(value, "paused_in", static_cast<int>(TaskState::kReady))),
                      .step_failures = Get<int>(value, "step_failures"),
                      .checkpoints = Get<int64_t>(value, "checkpoints"),
                      .last_host = Get<std::string>(value, "last_host"),
                      .fingerprint = Get<std::string>(value, "fingerprint"),
                      .same_failures = Get<int>(value, "same_failures"),
                      .deaths = Get<std::vector<std::string>>(value, "deaths")};
    if (value.contains("candidate")) progress.candidate = ReadCandidate(value["candidate"]);
    return progress;
  });
}

std::string ToJson(const RunPolicy& policy) {
  return JsonObject()
      .Add("retries_max", policy.retries_max)
      .Add("attempt_timeout_us", Micros(policy.attempt_timeout))
      .Add("task_limit_usd_nanos", policy.task_limit_usd_nanos)
      .Add("parallel_max", policy.parallel_max)
      .Add("human_approval", policy.human_approval)
      .AddJson("validators", ValidatorsJson(policy.validators))
      .Add("skip_agent_checks", policy.skip_agent_checks)
      .Take();
}

absl::StatusOr<RunPolicy> RunPolicyFromJson(const std::string& text) {
  return Parse<RunPolicy>(text, [](const json& value) {
    return RunPolicy{.retries_max = Get<int>(value, "retries_max"),
                     .attempt_timeout = GetDuration(value, "attempt_timeout_us"),
                     .task_limit_usd_nanos = Get<int64_t>(value, "task_limit_usd_nanos"),
                     .parallel_max = Get<int>(value, "parallel_max"),
                     .human_approval = Get<bool>(value, "human_approval"),
                     .validators = ReadValidators(value),
                     .skip_agent_checks = value.value("skip_agent_checks", false)};
  });
}

std::string ToJson(const GrantRules& rules) {
  const SchedulingSettings& scheduling = rules.scheduling;
  json projects = json::object();
  for (const auto& [project, share] : scheduling.projects) {
    projects[project] = {{"weight", share.weight}, {"attempts_max", share.attempts_max}};
  }
  json credentials = json::array();
  for (const CredentialLimit& credential : scheduling.credentials) {
    credentials.push_back({{"name", credential.name},
                           {"roles", credential.roles},
                           {"attempts_max", credential.attempts_max}});
  }
  return Dump({{"projects", projects},
               {"credentials", credentials},
               {"plan_attempts_max", scheduling.plan_attempts_max},
               {"lane_changes_max", scheduling.lane_changes_max},
               {"aging_step_us", Micros(scheduling.aging_step)},
               {"overlap_wait_us", Micros(scheduling.overlap_wait)},
               {"slot_time_per_usd_us", Micros(scheduling.slot_time_per_usd)},
               {"host_slots", rules.host_slots}});
}

absl::StatusOr<GrantRules> GrantRulesFromJson(const std::string& text) {
  return Parse<GrantRules>(text, [](const json& value) {
    GrantRules rules{.host_slots = Get<std::map<std::string, int>>(value, "host_slots")};
    SchedulingSettings& scheduling = rules.scheduling;
    scheduling.plan_attempts_max = Get<int>(value, "plan_attempts_max");
    scheduling.lane_changes_max = Get<int>(value, "lane_changes_max");
    scheduling.aging_step = GetDuration(value, "aging_step_us");
    scheduling.overlap_wait = GetDuration(value, "overlap_wait_us");
    scheduling.slot_time_per_usd = GetDuration(value, "slot_time_per_usd_us");
    const json projects = value.value("projects", json::object());
    for (const auto& [project, share] : projects.items()) {
      scheduling.projects[project] = {.weight = Get<int>(share, "weight", 1),
                                      .attempts_max = Get<int>(share, "attempts_max")};
    }
    for (const json& credential : value.value("credentials", json::array())) {
      scheduling.credentials.push_back({.name = Get<std::string>(credential, "name"),
                                        .roles = Get<std::vector<std::string>>(credential, "roles"),
                                        .attempts_max = Get<int>(credential, "attempts_max")});
    }
    return rules;
  });
}

std::string ToJson(const std::vector<std::string>& strings) { return base::JsonArray(strings); }

absl::StatusOr<std::vector<std::string>> StringsFromJson(const std::string& text) {
  return Parse<std::vector<std::string>>(
      text, [](const json& value) { return value.get<std::vector<std::string>>(); });
}

std::string ToJson(const Diagnosis& diagnosis) {
  return json{{"cause", diagnosis.cause},       {"findings", diagnosis.findings},
              {"guidance", diagnosis.guidance}, {"advice", static_cast<int>(diagnosis.advice)},
              {"role", diagnosis.role},         {"problem", diagnosis.problem}}
      .dump();
}

absl::StatusOr<Diagnosis> DiagnosisFromJson(const std::string& text) {
  return Parse<Diagnosis>(text, [](const json& value) {
    return Diagnosis{.cause = Get<std::string>(value, "cause"),
                     .findings = Get<std::vector<std::string>>(value, "findings"),
                     .guidance = Get<std::string>(value, "guidance"),
                     .advice = static_cast<Decision>(Get<int>(value, "advice")),
                     .role = Get<std::string>(value, "role"),
                     .problem = Get<std::string>(value, "problem")};
  });
}

std::string ToJson(const EvidenceResult& evidence) {
  json outcomes = json::array();
  for (const ValidatorOutcome& outcome : evidence.outcomes) {
    outcomes.push_back({{"validator", outcome.validator},
                        {"exit_code", outcome.exit_code},
                        {"timed_out", outcome.timed_out},
                        {"run_duration_us", Micros(outcome.run_duration)},
                        {"output_tail", outcome.output_tail}});
  }
  return Dump({{"tree", evidence.tree},
               {"validator_digest", evidence.validator_digest},
               {"outcomes", outcomes}});
}

absl::StatusOr<EvidenceResult> EvidenceFromJson(const std::string& text) {
  return Parse<EvidenceResult>(text, [](const json& value) {
    EvidenceResult evidence{.tree = Get<std::string>(value, "tree"),
                            .validator_digest = Get<std::string>(value, "validator_digest")};
    for (const json& outcome : value.value("outcomes", json::array())) {
      evidence.outcomes.push_back({.validator = Get<std::string>(outcome, "validator"),
                                   .exit_code = Get<int>(outcome, "exit_code"),
                                   .timed_out = Get<bool>(outcome, "timed_out"),
                                   .run_duration = GetDuration(outcome, "run_duration_us"),
                                   .output_tail = Get<std::string>(outcome, "output_tail")});
    }
    return evidence;
  });
}

}  // namespace slipway::dispatcher
