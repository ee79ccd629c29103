#include "services/reviewer/flow/diagnostician.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/policy/secret_scanner.h"
#include "services/reviewer/domain/diagnosis_prompt.h"
#include "services/reviewer/domain/diagnosis_reply.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/flow/model_dialogue.h"

namespace slipway::reviewer {
namespace {

constexpr char kDiagnosisRoleDefault[] = "frontier_reviewer";
constexpr char kNoDiagnosis[] = "none";

metrics::Histogram diagnosis_seconds({.name = "slipway_reviewer_diagnosis_seconds",
                                      .description = "Time to a diagnosis.",
                                      .labels = {"outcome"}});

// The newest ones.
void Redact(std::vector<std::string>& lines) {
  if (lines.size() > kDiagnosisLinesMax) {
    lines.erase(lines.begin(), lines.end() - kDiagnosisLinesMax);
  }
  for (std::string& line : lines) line = policy::RedactSecrets(line).text;
}

absl::StatusOr<std::string> NewestChange(ReviewStore& store, const std::string& task) {
  ASSIGN_OR_RETURN(const std::vector<Inspection> inspections, store.ListInspections(task));
  if (inspections.empty()) return "";
  ASSIGN_OR_RETURN(const std::optional<std::string> patch,
                   store.FindPatch(inspections.back().attempt));
  if (!patch.has_value()) return "";
  // The whole of it, before the prompt cuts it: half a credential is found by no rule.
  return policy::RedactSecrets(*patch).text;
}

}  // namespace

absl::StatusOr<Diagnosis> Diagnostician::Diagnose(const std::string& checkpoint, FailedTask task) {
  const absl::Duration started = workshop_.clock.Elapsed();
  ASSIGN_OR_RETURN(const Names names, ParseCheckpoint(checkpoint));
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, names.plan()));
  const std::string& wanted = plan.policy.review.diagnosis_role;
  if (wanted == kNoDiagnosis) return Diagnosis();
  const std::string role = wanted.empty() ? kDiagnosisRoleDefault : wanted;
  ASSIGN_OR_RETURN(task.change, NewestChange(workshop_.store, names.task()));
  task.question = policy::RedactSecrets(task.question).text;
  Redact(task.feedback);
  Redact(task.attempts);
  const CriticPrompt prompt = BuildDiagnosisPrompt(task);
  absl::StatusOr<Diagnosis> diagnosis = DiagnosisUnreadable(role, "");
  const absl::StatusOr<std::string> problem =
      ModelDialogue(workshop_.store, models_)
          .Ask(absl::StrCat("diagnose:", names.plan_id, "/", names.task_id, "/",
                            names.checkpoint_id, ":", role),
               {.call_id = "",
                .intent = "diagnose",
                .role = role,
                .project = names.project(),
                .plan = names.plan(),
                .task = names.task(),
                .attempt = "",
                .system = prompt.system,
                .turns = {{.assistant = false, .text = prompt.user}},
                .response_schema = std::string(DiagnosisReplySchema())},
               [&diagnosis](absl::string_view reply) {
                 diagnosis = ParseDiagnosisReply(reply);
                 return diagnosis.status();
               });
  const bool ok = problem.ok() && problem->empty();
  diagnosis_seconds.Observe({ok ? "ok" : "error"}, workshop_.clock.Elapsed() - started);
  if (!problem.ok()) return problem.status();
  if (!problem->empty()) return DiagnosisUnreadable(role, *problem);
  diagnosis->role = role;
  log::Info("a failed task was diagnosed",
            {{"checkpoint", checkpoint}, {"role", role}, {"cause", diagnosis->cause}});
  return diagnosis;
}

}  // namespace slipway::reviewer
