#include "services/planner/domain/policy_check.h"

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/path_pattern.h"

namespace slipway::planner {
namespace {

constexpr absl::string_view kOutputFormats[] = {"",    "pytest", "ctest", "junit",
                                                "tap", "go",     "node"};
constexpr absl::Duration kRunTimeoutMax = absl::Hours(6);
constexpr absl::Duration kAttemptTimeoutMax = absl::Hours(24);

absl::Status CheckDuration(const std::string& field, absl::Duration value, absl::Duration most) {
  if (value < absl::ZeroDuration() || value > most) {
    return PolicyInvalid(field, absl::StrCat("must be 0 to ", absl::FormatDuration(most)));
  }
  return absl::OkStatus();
}

absl::Status CheckCount(const std::string& field, int64_t value, int64_t most) {
  if (value < 0 || value > most) {
    return PolicyInvalid(field, absl::StrCat("is ", value, ", must be 0 to ", most));
  }
  return absl::OkStatus();
}

absl::Status CheckCommand(const Validator& validator, const std::string& field) {
  if (validator.command.empty() || validator.command.front().empty()) {
    return PolicyInvalid(field, "names no program");
  }
  if (validator.command.size() > kCommandWordsMax) {
    return PolicyInvalid(field, absl::StrCat("has more than ", kCommandWordsMax, " words"));
  }
  for (const std::string& word : validator.command) {
    if (word.size() > kLineBytesMax || absl::StrContains(word, '\0')) {
      return PolicyInvalid(field, "has a word that is too long or contains NUL");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckValidator(const Validator& validator, const std::string& field) {
  if (!base::IsValidId(validator.name)) {
    return PolicyInvalid(absl::StrCat(field, ".name"),
                         "must be lower-case letters, digits and hyphens, as in 'unit-tests'");
  }
  RETURN_IF_ERROR(CheckCommand(validator, absl::StrCat(field, ".command")));
  RETURN_IF_ERROR(
      CheckDuration(absl::StrCat(field, ".run_timeout"), validator.run_timeout, kRunTimeoutMax));
  if (!validator.directory.empty()) {
    const std::string problem = PathPatternProblem(validator.directory);
    if (!problem.empty()) {
      return PolicyInvalid(absl::StrCat(field, ".directory"),
                           absl::StrCat("'", validator.directory, "' ", problem));
    }
  }
  for (const absl::string_view format : kOutputFormats) {
    if (validator.output_format == format) return absl::OkStatus();
  }
  return PolicyInvalid(absl::StrCat(field, ".output_format"),
                       absl::StrCat("'", validator.output_format,
                                    "' is none of pytest, ctest, junit, tap, go, node"));
}

absl::Status CheckValidators(const ProjectPolicy& policy) {
  if (policy.validators.size() > kValidatorsMax) {
    return PolicyInvalid("policy.validators", absl::StrCat("more than ", kValidatorsMax));
  }
  absl::flat_hash_set<absl::string_view> names;
  for (size_t i = 0; i < policy.validators.size(); ++i) {
    const std::string field = absl::StrCat("policy.validators[", i, "]");
    RETURN_IF_ERROR(CheckValidator(policy.validators[i], field));
    if (!names.insert(policy.validators[i].name).second) {
      return PolicyInvalid(absl::StrCat(field, ".name"),
                           absl::StrCat("'", policy.validators[i].name, "' is given twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPatterns(const std::string& field, const std::vector<std::string>& patterns) {
  if (patterns.size() > kListMax) {
    return PolicyInvalid(field, absl::StrCat("more than ", kListMax, " patterns"));
  }
  for (size_t i = 0; i < patterns.size(); ++i) {
    const std::string problem = PathPatternProblem(patterns[i]);
    if (!problem.empty()) {
      return PolicyInvalid(absl::StrCat(field, "[", i, "]"),
                           absl::StrCat("'", patterns[i], "' ", problem));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPaths(const PathPolicy& paths) {
  RETURN_IF_ERROR(CheckPatterns("policy.paths.allowed", paths.allowed));
  RETURN_IF_ERROR(CheckPatterns("policy.paths.forbidden", paths.forbidden));
  RETURN_IF_ERROR(CheckPatterns("policy.paths.unprotected", paths.unprotected));
  RETURN_IF_ERROR(CheckPatterns("policy.paths.binary_paths", paths.binary_paths));
  RETURN_IF_ERROR(CheckCount("policy.paths.binary_bytes_max", paths.binary_bytes_max, 32 << 20));
  RETURN_IF_ERROR(CheckCount("policy.paths.files_max", paths.files_max, 100'000));
  RETURN_IF_ERROR(CheckCount("policy.paths.added_lines_max", paths.added_lines_max, 10'000'000));
  return CheckCount("policy.paths.bytes_max", paths.bytes_max, int64_t{1} << 30);
}

absl::Status CheckRole(const std::string& field, absl::string_view role) {
  for (const char c : role) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '_' && c != '-') {
      return PolicyInvalid(field, absl::StrCat("'", role, "' is not the name of a role"));
    }
  }
  return role.size() > kTitleBytesMax ? PolicyInvalid(field, "is too long") : absl::OkStatus();
}

absl::Status CheckReview(const ReviewPolicy& review) {
  RETURN_IF_ERROR(CheckRole("policy.review.critic_role", review.critic_role));
  RETURN_IF_ERROR(CheckRole("policy.review.diagnosis_role", review.diagnosis_role));
  if (review.council_roles.size() > kCouncilRolesMax) {
    return PolicyInvalid("policy.review.council_roles",
                         absl::StrCat("more than ", kCouncilRolesMax, " roles"));
  }
  for (size_t i = 0; i < review.council_roles.size(); ++i) {
    const std::string field = absl::StrCat("policy.review.council_roles[", i, "]");
    if (review.council_roles[i].empty()) return PolicyInvalid(field, "is empty");
    RETURN_IF_ERROR(CheckRole(field, review.council_roles[i]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckProject(const Project& project) {
  if (absl::StripAsciiWhitespace(project.plan_tier).empty()) return PlanTierMissing();
  if (project.plan_tier.size() > kTitleBytesMax) return PolicyInvalid("plan_tier", "is too long");
  if (project.title.size() > kTitleBytesMax) return PolicyInvalid("title", "is too long");
  if (project.repository.empty()) {
    return PolicyInvalid("repository", "is empty: give an absolute path or an https or ssh URL");
  }
  if (project.target_branch.empty()) {
    return PolicyInvalid("target_branch", "is empty: give a branch, such as 'main'");
  }
  const ProjectPolicy& policy = project.policy;
  RETURN_IF_ERROR(CheckValidators(policy));
  RETURN_IF_ERROR(CheckPaths(policy.paths));
  RETURN_IF_ERROR(CheckReview(policy.review));
  RETURN_IF_ERROR(CheckCount("policy.attempts.retries_max", policy.attempts.retries_max.value_or(0),
                             kRetriesMax));
  RETURN_IF_ERROR(CheckDuration("policy.attempts.attempt_timeout", policy.attempts.attempt_timeout,
                                kAttemptTimeoutMax));
  if (policy.attempts.task_limit_usd_nanos < 0) {
    return PolicyInvalid("policy.attempts.task_limit_usd_nanos", "is negative");
  }
  return CheckCount("policy.parallel_max", policy.parallel_max, kParallelMax);
}

}  // namespace slipway::planner
