#include "cli/command/init_answers.h"

#include <filesystem>
#include <functional>
#include <istream>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/command/validator_detection.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/process.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

constexpr int kAsksMax = 5;  // Then whoever answers does not read the questions.

absl::Status Invalid(absl::string_view message) {
  return base::Error(absl::StatusCode::kInvalidArgument, "ARGUMENT_INVALID", message);
}

bool IsUrl(const std::string& location) {
  return location.rfind("https://", 0) == 0 || location.rfind("ssh://", 0) == 0;
}

std::string AbsolutePath(const std::string& path) {
  if (IsUrl(path)) return path;
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  return error ? std::filesystem::absolute(path, error).lexically_normal().string() : real.string();
}

// One line of what git says about a repository; empty when it says nothing.
std::string Git(const std::string& directory, std::vector<std::string> arguments) {
  base::Process::Options options;
  options.argv = {"git", "-C", directory};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.inherit_env = true;
  const absl::StatusOr<base::CommandResult> result =
      base::RunCommand(std::move(options), absl::Seconds(10));
  if (!result.ok() || !result->exit.ok()) return "";
  return std::string(absl::StripAsciiWhitespace(result->out));
}

std::string DefaultRepository() {
  const std::string root = Git(".", {"rev-parse", "--show-toplevel"});
  return root.empty() ? AbsolutePath(".") : root;
}

class Questions final {
 public:
  Questions(const InitAnswers& answers, bool ask, Invocation& invocation)
      : answers_(answers), ask_(ask), invocation_(invocation) {}

  absl::StatusOr<InitResult> Ask() {
    planner::v1::Project& project = result_.project;
    RETURN_IF_ERROR(Question(answers_.repository, "Repository (path or URL)", DefaultRepository(),
                             [&](const std::string& answer) {
                               project.set_repository(AbsolutePath(answer));
                               return answer.empty() ? Invalid("a repository is needed")
                                                     : absl::OkStatus();
                             }));
    const std::string base_name =
        std::filesystem::path(project.repository()).filename().replace_extension("").string();
    RETURN_IF_ERROR(Question(answers_.id, "Project id", base::Slug(base_name),
                             [&](const std::string& answer) { return SetId(answer); }));
    RETURN_IF_ERROR(Question(answers_.title, "Title", base_name, [&](const std::string& answer) {
      project.set_title(answer);
      return absl::OkStatus();
    }));
    RETURN_IF_ERROR(AskPolicy());
    return std::move(result_);
  }

 private:
  using Take = std::function<absl::Status(const std::string&)>;

  absl::Status AskPolicy() {
    planner::v1::Project& project = result_.project;
    std::string branch = IsUrl(project.repository())
                             ? "main"
                             : Git(project.repository(), {"branch", "--show-current"});
    if (branch.empty()) branch = "main";
    RETURN_IF_ERROR(Question(answers_.branch, "Branch that plans start from and go to", branch,
                             [&](const std::string& answer) {
                               project.set_target_branch(answer);
                               return absl::OkStatus();
                             }));
    RETURN_IF_ERROR(Question(answers_.plan_tier,
                             "Allowance its calls may use: local, scripted, api",
                             ask_ ? "local" : "", [&](const std::string& answer) {
                               project.set_plan_tier(answer);
                               return answer == "local" || answer == "scripted" || answer == "api"
                                          ? absl::OkStatus()
                                          : Invalid("write local, scripted or api");
                             }));
    RETURN_IF_ERROR(Question(answers_.validators, "Validators (name=command; ..., or none)",
                             DetectedValidators(),
                             [&](const std::string& answer) { return SetValidators(answer); }));
    RETURN_IF_ERROR(Question(answers_.budget, "Most dollars in a month (or none)", "10",
                             [&](const std::string& answer) { return SetBudget(answer); }));
    return Question(answers_.integration, "Finished plans become: branch, merge, none", "branch",
                    [&](const std::string& answer) { return SetIntegration(answer); });
  }

  // Takes the option, the person's answer or the default, in this order.
  absl::Status Question(const std::optional<std::string>& given, const std::string& question,
                        const std::string& preset, const Take& take) {
    if (given.has_value()) return take(*given);
    if (!ask_) {
      if (preset.empty()) {
        return base::Error(absl::StatusCode::kInvalidArgument, "ANSWER_MISSING",
                           absl::StrCat("no answer to: ", question));
      }
      return take(preset);
    }
    absl::Status status;
    for (int i = 0; i < kAsksMax; ++i) {
      status = take(ReadAnswer(question, preset));
      if (status.ok() || !invocation_.input().good()) return status;
      invocation_.output().Progress(absl::StrCat("  ", status.message()));
    }
    return status;
  }

  std::string ReadAnswer(const std::string& question, const std::string& preset) {
    Output& output = invocation_.output();
    output.Progress(absl::StrCat(output.Painted(Tone::kStrong, question), " [",
                                 preset.empty() ? "none" : preset, "]"));
    std::string line;
    std::getline(invocation_.input(), line);
    const std::string answer(absl::StripAsciiWhitespace(line));
    return answer.empty() ? preset : answer;
  }

  absl::Status SetId(const std::string& answer) {
    if (!base::IsValidId(answer)) {
      return Invalid(absl::StrCat("'", answer, "' is no id: 1 to 63 of a-z, 0-9 and '-'"));
    }
    result_.project.set_name(absl::StrCat("projects/", answer));
    return absl::OkStatus();
  }

  std::string DetectedValidators() {
    if (IsUrl(result_.project.repository())) return "none";
    std::vector<std::string> texts;
    detected_ = DetectValidators(result_.project.repository());
    for (const common::v1::Validator& validator : detected_) {
      texts.push_back(ValidatorText(validator));
    }
    return texts.empty() ? "none" : absl::StrJoin(texts, "; ");
  }

  absl::Status SetValidators(const std::string& answer) {
    common::v1::ProjectPolicy& policy = *result_.project.mutable_policy();
    policy.clear_validators();
    if (answer == "none") return absl::OkStatus();
    for (const absl::string_view part : absl::StrSplit(answer, ';')) {
      const absl::string_view text = absl::StripAsciiWhitespace(part);
      if (text.empty()) continue;
      ASSIGN_OR_RETURN(common::v1::Validator validator, ParseValidator(text));
      for (const common::v1::Validator& detected : detected_) {
        // Detection knows the format of the output, too.
        if (ValidatorText(detected) == ValidatorText(validator)) validator = detected;
      }
      *policy.add_validators() = std::move(validator);
    }
    return absl::OkStatus();
  }

  absl::Status SetBudget(const std::string& answer) {
    result_.month_limit_usd_nanos.reset();
    if (answer == "none") return absl::OkStatus();
    ASSIGN_OR_RETURN(result_.month_limit_usd_nanos, ParseMoney(answer));
    return absl::OkStatus();
  }

  absl::Status SetIntegration(const std::string& answer) {
    using common::v1::IntegrationPolicy;
    IntegrationPolicy& integration = *result_.project.mutable_policy()->mutable_integration();
    integration.set_mode(answer == "branch"  ? IntegrationPolicy::MODE_BRANCH
                         : answer == "merge" ? IntegrationPolicy::MODE_MERGE
                         : answer == "none"  ? IntegrationPolicy::MODE_NONE
                                             : IntegrationPolicy::MODE_UNSPECIFIED);
    return integration.mode() == IntegrationPolicy::MODE_UNSPECIFIED
               ? Invalid("write branch, merge or none")
               : absl::OkStatus();
  }

  const InitAnswers& answers_;
  const bool ask_;
  Invocation& invocation_;
  InitResult result_;
  std::vector<common::v1::Validator> detected_;
};

}  // namespace

absl::StatusOr<InitResult> AnswerInit(const InitAnswers& answers, bool ask,
                                      Invocation& invocation) {
  return Questions(answers, ask, invocation).Ask();
}

}  // namespace slipway::cli
