#include "services/reviewer/flow/judge.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/digest.h"
#include "lib/base/status_macros.h"
#include "lib/git/tree_diff.h"
#include "lib/metrics/metrics.h"
#include "lib/policy/secret_scanner.h"
#include "services/reviewer/domain/critic_reply.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/feedback.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/flow/model_dialogue.h"

namespace slipway::reviewer {
namespace {

metrics::Histogram judge_seconds({.name = "slipway_reviewer_judge_seconds",
                                  .description = "Time to a verdict.",
                                  .labels = {"verdict"}});

}  // namespace

std::vector<std::string> CriticsOf(const ReviewPolicy& policy, bool critical) {
  std::vector<std::string> roles;
  if (!policy.critic_role.empty()) roles.push_back(policy.critic_role);
  if (critical) {
    roles.insert(roles.end(), policy.council_roles.begin(), policy.council_roles.end());
  }
  return roles;
}

struct Judge::Bench {
  const Candidate& candidate;
  const CriticPrompt& prompt;
  int round;
};

absl::StatusOr<Verdict> Judge::Decide(const JudgeRequest& request) {
  const absl::Duration started = workshop_.clock.Elapsed();
  if (request.round < 1) return RoundInvalid(request.round);
  ASSIGN_OR_RETURN(const Candidate candidate, RequireCandidate(workshop_.store, request.candidate));
  ASSIGN_OR_RETURN(const std::optional<GivenVerdict> earlier,
                   workshop_.store.FindVerdict(candidate.name, request.round));
  if (earlier.has_value()) return earlier->verdict;
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, candidate.plan));

  const std::vector<std::string> roles = CriticsOf(plan.policy.review, request.critical);
  GivenVerdict given{
      .candidate = candidate.name,
      .round = request.round,
      .roles = absl::StrJoin(roles, ","),
      .prompt_digest = "",
      .verdict = {.kind = VerdictKind::kPassed, .summary = "no critic is configured", .gaps = {}}};
  if (!roles.empty()) {
    ASSIGN_OR_RETURN(const CriticCase subject, CaseOf(request, candidate));
    const CriticPrompt prompt = BuildCriticPrompt(subject);
    given.prompt_digest =
        base::Sha256Hex(absl::StrCat(given.roles, "\n", prompt.system, prompt.user));
    // A candidate that was rebuilt on a tip with other files reads the same to a critic.
    ASSIGN_OR_RETURN(const std::optional<GivenVerdict> same,
                     workshop_.store.FindVerdictOfPrompt(plan.name, given.prompt_digest));
    if (same.has_value() && same->verdict.kind == VerdictKind::kPassed) {
      given.verdict = same->verdict;
    } else {
      const Bench bench{.candidate = candidate, .prompt = prompt, .round = request.round};
      for (const std::string& role : roles) {
        ASSIGN_OR_RETURN(given.verdict, Ask(bench, role));
        if (given.verdict.kind != VerdictKind::kPassed) break;
      }
    }
  }
  given.give_time = workshop_.clock.Now();
  ASSIGN_OR_RETURN(const GivenVerdict stored, workshop_.store.AddVerdict(candidate, given));
  judge_seconds.Observe({NameOf(stored.verdict.kind)}, workshop_.clock.Elapsed() - started);
  return stored.verdict;
}

absl::StatusOr<CriticCase> Judge::CaseOf(const JudgeRequest& request, const Candidate& candidate) {
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(candidate.name));
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const git::Commit base, RequireCommit(mirror, candidate.base));
  ASSIGN_OR_RETURN(const git::Oid tree, git::Oid::Parse(candidate.tree));
  ASSIGN_OR_RETURN(const git::DiffText diff,
                   git::FormatDiff(mirror, base.tree, tree, kPromptDiffBytesMax));
  ASSIGN_OR_RETURN(
      const std::optional<Evidence> evidence,
      workshop_.store.FindEvidence(names.project(), candidate.tree, candidate.validator_digest));
  // A change may take credentials away, or stand beside some: they are not for a provider.
  return CriticCase{.title = request.title,
                    .description = request.description,
                    .acceptance = request.acceptance,
                    .diff = policy::RedactSecrets(diff.text).text,
                    .diff_truncated = diff.truncated,
                    .evidence = evidence.has_value() ? SummaryOf(evidence->results) : ""};
}

absl::StatusOr<Verdict> Judge::Ask(const Bench& bench, const std::string& role) {
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(bench.candidate.name));
  ModelRequest request{.call_id = "",
                       .intent = "judge",
                       .role = role,
                       .project = names.project(),
                       .plan = names.plan(),
                       .task = bench.candidate.task,
                       .attempt = bench.candidate.attempt,
                       .system = bench.prompt.system,
                       .turns = {{.assistant = false, .text = bench.prompt.user}},
                       .response_schema = std::string(CriticReplySchema())};
  absl::StatusOr<Verdict> verdict = VerdictUnreadable(role, "");
  ASSIGN_OR_RETURN(const std::string problem,
                   ModelDialogue(workshop_.store, models_)
                       .Ask(absl::StrCat("judge:", names.plan_id, "/", names.candidate_id, ":",
                                         bench.round, ":", role),
                            std::move(request), [&verdict](absl::string_view reply) {
                              verdict = ParseCriticReply(reply);
                              return verdict.status();
                            }));
  if (!problem.empty()) return VerdictUnreadable(role, problem);
  return verdict;
}

}  // namespace slipway::reviewer
