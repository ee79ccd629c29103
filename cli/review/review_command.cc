#include "cli/review/review_command.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/command/requests.h"
#include "cli/output/display_width.h"
#include "cli/output/text_table.h"
#include "cli/review/review_check.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/policy/rule_table.h"

namespace slipway::cli {
namespace {

using policy::Rule;
using reviewer::v1::GetReviewRequest;
using reviewer::v1::GetReviewResponse;
using reviewer::v1::ReviewerService;

Tone ToneOfVerdict(policy::Verdict verdict) {
  switch (verdict) {
    case policy::Verdict::kAccept:
      return Tone::kGood;
    case policy::Verdict::kQuarantine:
      return Tone::kWarning;
    case policy::Verdict::kReject:
      break;
  }
  return Tone::kBad;
}

ExitCode ExitCodeOfVerdict(policy::Verdict verdict) {
  switch (verdict) {
    case policy::Verdict::kAccept:
      return ExitCode::kOk;
    case policy::Verdict::kQuarantine:
      return ExitCode::kWaitsForPerson;
    case policy::Verdict::kReject:
      break;
  }
  return ExitCode::kFailed;
}

void ShowReport(const inspection::Report& report, Output& output) {
  const policy::Verdict verdict = report.verdict();
  output.Line(absl::StrCat(output.Painted(ToneOfVerdict(verdict), policy::NameOf(verdict)),
                           report.tree.IsNull() ? "" : "  tree ",
                           report.tree.IsNull() ? "" : report.tree.ToHex()));
  if (report.normalised) {
    output.Line("The patch is not what git writes; it was rendered anew and that was judged.");
  }
  if (!report.findings.empty()) {
    TextTable table({{"CODE"}, {"PATH"}, {"DETAIL"}});
    for (const policy::Finding& finding : report.findings) {
      table.Add({finding.code, OneLine(finding.path), OneLine(finding.detail)});
    }
    output.Table(table);
    output.Hint("slipway review explain CODE says why, and what to do");
  }
}

absl::StatusOr<ExitCode> Check(const CheckOptions& options, Invocation& invocation) {
  ASSIGN_OR_RETURN(const inspection::Report report, CheckOffline(options, invocation.input()));
  if (invocation.output().json()) {
    invocation.output().Line(JsonOf(report));
  } else {
    ShowReport(report, invocation.output());
  }
  return ExitCodeOfVerdict(report.verdict());
}

nlohmann::ordered_json JsonOfRule(const Rule& rule) {
  return {{"code", std::string(rule.code)},
          {"stage", std::string(policy::NameOf(rule.stage))},
          {"strict", std::string(policy::StrictOutcome(rule))},
          {"tolerant", std::string(policy::TolerantOutcome(rule))},
          {"setting", std::string(policy::SettingOf(rule))},
          {"meaning", std::string(rule.meaning)},
          {"why", std::string(rule.why)},
          {"remedy", std::string(rule.remedy)}};
}

void ExplainRule(const Rule& rule, Output& output) {
  output.Line(output.Painted(Tone::kStrong, rule.code));
  output.Line(absl::StrCat("  what     ", rule.meaning));
  output.Line(absl::StrCat("  why      ", rule.why));
  output.Line(absl::StrCat("  do       ", rule.remedy));
  output.Line(
      absl::StrCat("  verdict  ", policy::StrictOutcome(rule),
                   rule.tolerant ? "; tolerant mode repairs it where its meaning is certain" : ""));
  if (!policy::SettingOf(rule).empty()) {
    output.Line(absl::StrCat("  setting  ", policy::SettingOf(rule)));
  }
}

absl::StatusOr<ExitCode> ListRules(Output& output) {
  if (output.json()) {
    nlohmann::ordered_json rules = nlohmann::ordered_json::array();
    for (const Rule& rule : policy::Rules()) rules.push_back(JsonOfRule(rule));
    output.Line(nlohmann::ordered_json{{"rules", std::move(rules)}}.dump());
    return ExitCode::kOk;
  }
  TextTable table({{"CODE"}, {"STRICT"}, {"TOLERANT"}, {"WHAT"}});
  for (const Rule& rule : policy::Rules()) {
    table.Add({std::string(rule.code), std::string(policy::StrictOutcome(rule)),
               std::string(policy::TolerantOutcome(rule)), std::string(rule.meaning)});
  }
  output.Table(table);
  return ExitCode::kOk;
}

// A code has capitals only; names of plans and tasks are in lower case.
bool LooksLikeACode(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isupper(c) || absl::ascii_isdigit(c) || c == '_';
  });
}

void ExplainAttempt(const GetReviewResponse::Attempt& step, Output& output) {
  const auto& refused = step.inspection().refused();
  output.Line(absl::StrCat(step.attempt(), ": ",
                           !step.inspection().has_refused() ? "accepted"
                           : refused.human_may_accept()     ? "quarantine"
                                                            : "reject"));
  for (const auto& reason : refused.reasons()) {
    output.Line(absl::StrCat("  ", OneLine(reason.path()), reason.path().empty() ? "" : ": ",
                             OneLine(reason.detail())));
    if (const Rule* const rule = policy::FindRule(reason.code())) ExplainRule(*rule, output);
  }
}

// What a running suite knows about the changes of a task.
absl::StatusOr<ExitCode> ExplainTask(const std::string& name, Invocation& invocation) {
  RETURN_IF_ERROR(invocation.Connect());
  ASSIGN_OR_RETURN(const std::string full, invocation.names().PlanOrTask(name));
  const size_t attempts = full.find("/attempts/");
  GetReviewRequest request;
  request.set_task(full.substr(0, attempts));
  ASSIGN_OR_RETURN(
      GetReviewResponse review,
      invocation.connection().Call(invocation.connection().reviewer(),
                                   &ReviewerService::StubInterface::GetReview, request));
  if (attempts != std::string::npos) {
    auto& steps = *review.mutable_attempts();
    steps.erase(std::remove_if(steps.begin(), steps.end(),
                               [&](const auto& step) { return step.attempt() != full; }),
                steps.end());
  }
  Output& output = invocation.output();
  if (output.json()) {
    output.Json(review);
    return ExitCode::kOk;
  }
  if (review.attempts().empty()) output.Line("No change was handed in.");
  for (const auto& step : review.attempts()) ExplainAttempt(step, output);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Explain(const std::string& subject, Invocation& invocation) {
  if (subject.empty()) return ListRules(invocation.output());
  if (!LooksLikeACode(subject)) return ExplainTask(subject, invocation);
  const Rule* const rule = policy::FindRule(subject);
  if (rule == nullptr) {
    return base::Error(absl::StatusCode::kNotFound, "CODE_UNKNOWN",
                       absl::StrCat("no finding has the code ", subject), {{"code", subject}});
  }
  if (invocation.output().json()) {
    invocation.output().Line(JsonOfRule(*rule).dump());
  } else {
    ExplainRule(*rule, invocation.output());
  }
  return ExitCode::kOk;
}

void AddCheck(CommandSet& commands, CLI::App& review) {
  const auto options = std::make_shared<CheckOptions>();
  const auto mode = std::make_shared<std::string>("strict");
  CLI::App& command = commands.Add(
      "check",
      "Judge a patch as the reviewer would, without a suite. Exits with 0 for accept, 1 for "
      "reject, 6 for quarantine",
      [options, mode](Invocation& invocation) {
        options->tolerant = *mode == "tolerant";
        return Check(*options, invocation);
      },
      &review);
  command.add_option("--repo", options->repository, "The repository; only read; default .");
  command.add_option("--base", options->base, "The commit that the patch is for; default HEAD");
  command.add_option("--patch", options->patch, "File with the patch; - is standard input")
      ->required();
  command
      .add_option("--mode", *mode,
                  "strict reads what git writes; tolerant also what people and models type")
      ->check(CLI::IsMember({"strict", "tolerant"}));
  command.add_option("--policy", options->policy_file,
                     "YAML with a project's policy, or what stands below its 'paths'");
  command.add_option("--allow", options->allowed,
                     "Pattern of paths that the task may touch; can be repeated");
  command.add_option("--tree", options->expected_tree, "The tree that the patch must give");
}

}  // namespace

void AddReviewCommands(CommandSet& commands) {
  CLI::App& review = commands.AddGroup("review", "Judge patches and explain what was found");
  AddCheck(commands, review);
  const auto subject = std::make_shared<std::string>();
  CLI::App& explain = commands.Add(
      "explain", "Explain a code of the reviewer, or what it found in the changes of a task",
      [subject](Invocation& invocation) { return Explain(*subject, invocation); }, &review);
  explain.add_option("subject", *subject,
                     "A code such as SYMLINK, a TASK or an ATTEMPT; default: all codes");
}

}  // namespace slipway::cli
