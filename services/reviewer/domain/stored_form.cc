#include "services/reviewer/domain/stored_form.h"

#include <functional>
#include <nlohmann/json.hpp>

#include "lib/base/digest.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/errors.h"

namespace slipway::reviewer {
namespace {

using Json = nlohmann::json;

// Bytes that are not UTF-8 are replaced: outputs of programs hold anything.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Runs `read` on the parsed text; what the library throws becomes an error.
template <typename T>
absl::StatusOr<T> Parse(absl::string_view text, const std::function<T(const Json&)>& read) {
  try {
    return read(Json::parse(text.begin(), text.end()));
  } catch (const Json::exception& error) {
    return StoredFormInvalid(error.what());
  }
}

Json ToJson(const Validator& validator) {
  return {{"name", validator.name},
          {"command", validator.command},
          {"run_timeout_us", absl::ToInt64Microseconds(validator.run_timeout)},
          {"directory", validator.directory},
          {"output_format", validator.output_format}};
}

Validator ValidatorFrom(const Json& json) {
  return {.name = json.value("name", ""),
          .command = json.value("command", std::vector<std::string>()),
          .run_timeout = absl::Microseconds(json.value("run_timeout_us", int64_t{0})),
          .directory = json.value("directory", ""),
          .output_format = json.value("output_format", "")};
}

PathPolicy PathsFrom(const Json& json) {
  using Texts = std::vector<std::string>;
  return {.allowed = json.value("allowed", Texts()),
          .forbidden = json.value("forbidden", Texts()),
          .unprotected = json.value("unprotected", Texts()),
          .allow_binary = json.value("allow_binary", false),
          .allow_symlinks = json.value("allow_symlinks", false),
          .allow_mode_changes = json.value("allow_mode_changes", false),
          .trusted_content = json.value("trusted_content", false),
          .files_max = json.value("files_max", 0),
          .added_lines_max = json.value("added_lines_max", 0),
          .bytes_max = json.value("bytes_max", int64_t{0}),
          .allow_windows_names = json.value("allow_windows_names", false),
          .allow_renames = json.value("allow_renames", false),
          .binary_paths = json.value("binary_paths", Texts()),
          .binary_bytes_max = json.value("binary_bytes_max", int64_t{0})};
}

ProjectPolicy PolicyFrom(const Json& json) {
  ProjectPolicy policy;
  for (const Json& validator : json.value("validators", Json::array())) {
    policy.validators.push_back(ValidatorFrom(validator));
  }
  policy.paths = PathsFrom(json.value("paths", Json::object()));
  const Json review = json.value("review", Json::object());
  policy.review = {.critic_role = review.value("critic_role", ""),
                   .council_roles = review.value("council_roles", std::vector<std::string>()),
                   .diagnosis_role = review.value("diagnosis_role", ""),
                   .human_approval = review.value("human_approval", false)};
  const std::string mode = json.value("integration", "BRANCH");
  policy.integration = mode == "NONE"    ? IntegrationMode::kNone
                       : mode == "MERGE" ? IntegrationMode::kMerge
                                         : IntegrationMode::kBranch;
  return policy;
}

const char* NameOf(IntegrationMode mode) {
  switch (mode) {
    case IntegrationMode::kNone:
      return "NONE";
    case IntegrationMode::kBranch:
      return "BRANCH";
    case IntegrationMode::kMerge:
      return "MERGE";
  }
  return "";
}

}  // namespace

std::string StoredPolicy(const ProjectPolicy& policy) {
  Json validators = Json::array();
  for (const Validator& validator : policy.validators) validators.push_back(ToJson(validator));
  const PathPolicy& paths = policy.paths;
  return Dump({{"validators", validators},
               {"paths",
                {{"allowed", paths.allowed},
                 {"forbidden", paths.forbidden},
                 {"unprotected", paths.unprotected},
                 {"allow_binary", paths.allow_binary},
                 {"allow_symlinks", paths.allow_symlinks},
                 {"allow_mode_changes", paths.allow_mode_changes},
                 {"trusted_content", paths.trusted_content},
                 {"files_max", paths.files_max},
                 {"added_lines_max", paths.added_lines_max},
                 {"bytes_max", paths.bytes_max},
                 {"allow_windows_names", paths.allow_windows_names},
                 {"allow_renames", paths.allow_renames},
                 {"binary_paths", paths.binary_paths},
                 {"binary_bytes_max", paths.binary_bytes_max}}},
               {"review",
                {{"critic_role", policy.review.critic_role},
                 {"council_roles", policy.review.council_roles},
                 {"diagnosis_role", policy.review.diagnosis_role},
                 {"human_approval", policy.review.human_approval}}},
               {"integration", NameOf(policy.integration)}});
}

absl::StatusOr<ProjectPolicy> PolicyFromStored(absl::string_view text) {
  return Parse<ProjectPolicy>(text, PolicyFrom);
}

std::string StoredFindings(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"code", finding.code}, {"path", finding.path}, {"detail", finding.detail}});
  }
  return Dump(list);
}

absl::StatusOr<std::vector<Finding>> FindingsFromStored(absl::string_view text) {
  return Parse<std::vector<Finding>>(text, [](const Json& list) {
    std::vector<Finding> findings;
    for (const Json& json : list) {
      findings.push_back({.code = json.value("code", ""),
                          .path = json.value("path", ""),
                          .detail = json.value("detail", "")});
    }
    return findings;
  });
}

std::string StoredResults(const std::vector<ValidatorResult>& results) {
  Json list = Json::array();
  for (const ValidatorResult& result : results) {
    list.push_back({{"validator", result.validator},
                    {"passed", result.passed},
                    {"exit_code", result.exit_code},
                    {"timed_out", result.timed_out},
                    {"run_duration_us", absl::ToInt64Microseconds(result.run_duration)},
                    {"output_tail", result.output_tail},
                    {"failures", result.failures}});
  }
  return Dump(list);
}

absl::StatusOr<std::vector<ValidatorResult>> ResultsFromStored(absl::string_view text) {
  return Parse<std::vector<ValidatorResult>>(text, [](const Json& list) {
    std::vector<ValidatorResult> results;
    for (const Json& json : list) {
      results.push_back(
          {.validator = json.value("validator", ""),
           .passed = json.value("passed", false),
           .exit_code = json.value("exit_code", 0),
           .timed_out = json.value("timed_out", false),
           .run_duration = absl::Microseconds(json.value("run_duration_us", int64_t{0})),
           .output_tail = json.value("output_tail", ""),
           .failures = json.value("failures", std::vector<std::string>())});
    }
    return results;
  });
}

std::string StoredTexts(const std::vector<std::string>& texts) { return Dump(Json(texts)); }

absl::StatusOr<std::vector<std::string>> TextsFromStored(absl::string_view text) {
  return Parse<std::vector<std::string>>(
      text, [](const Json& list) { return list.get<std::vector<std::string>>(); });
}

std::string ValidatorDigest(const std::vector<Validator>& validators) {
  if (validators.empty()) return "";
  Json list = Json::array();
  for (const Validator& validator : validators) list.push_back(ToJson(validator));
  return base::Sha256Hex(Dump(list));
}

}  // namespace slipway::reviewer
