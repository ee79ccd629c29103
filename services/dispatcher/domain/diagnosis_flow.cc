#include "services/dispatcher/domain/diagnosis_flow.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/metrics/metrics.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/task_flow.h"

namespace slipway::dispatcher {
namespace {

metrics::Counter diagnoses({.name = "slipway_dispatcher_diagnoses_total",
                            .description = "Questions to people that a model was asked about.",
                            .labels = {"outcome"}});

// A model cannot say more about an agent that is missing, or a patch that a rule forbids.
bool IsDiagnosed(const Checkpoint& checkpoint) {
  static constexpr const char* kReasons[] = {"RETRIES_SPENT", "SAME_FAILURE", kPatternReason,
                                             "CONFLICT", "STALLED"};
  return checkpoint.decision == Decision::kNone && !checkpoint.diagnosis.has_value() &&
         std::any_of(std::begin(kReasons), std::end(kReasons),
                     [&](const char* reason) { return checkpoint.reason == reason; });
}

}  // namespace

DiagnosisFlow::DiagnosisFlow(Board& board, Outbox& outbox, Reviewer& reviewer, base::Clock& clock,
                             Randomness random, Post post)
    : board_(board),
      outbox_(outbox),
      reviewer_(reviewer),
      clock_(clock),
      random_(std::move(random)),
      post_(std::move(post)) {}

void DiagnosisFlow::Drive() {
  for (const CheckpointKey& key : board_.TakeAsked()) cases_.emplace(key, Case());
  for (auto at = cases_.begin(); at != cases_.end();) {
    const Checkpoint* const checkpoint = board_.FindCheckpoint(at->first);
    const Task* const task = board_.FindTask(at->first.task);
    Case& open = at->second;
    const bool wanted = checkpoint != nullptr && task != nullptr && IsDiagnosed(*checkpoint) &&
                        task->open_checkpoint == at->first.number;
    if (!wanted && !open.under_way) {
      at = cases_.erase(at);
      continue;
    }
    if (wanted && !open.under_way && under_way_ < kDiagnosesMax && MayStart(*checkpoint, open)) {
      open.under_way = true;
      ++under_way_;
      Start(*checkpoint, *task);
    }
    ++at;
  }
}

bool DiagnosisFlow::MayStart(const Checkpoint& checkpoint, const Case& open) const {
  if (open.not_before > clock_.Elapsed() || board_.pauses().count(kEverything) > 0) return false;
  // A plan that a pattern of failures paused waits for this very answer.
  return checkpoint.reason == kPatternReason || !board_.IsPaused(checkpoint.key.task);
}

void DiagnosisFlow::Start(const Checkpoint& checkpoint, const Task& task) {
  DiagnosisStep step{.checkpoint = checkpoint.key,
                     .question = checkpoint.question,
                     .title = task.spec.title,
                     .description = task.spec.description,
                     .acceptance = task.spec.acceptance,
                     .allowed_paths = task.spec.allowed_paths,
                     .feedback = task.progress.feedback,
                     .attempts = checkpoint.evidence};
  outbox_.Add([this, step = std::move(step)] {
    reviewer_.Diagnose(step, [this, key = step.checkpoint](absl::StatusOr<Diagnosis> result) {
      post_([this, key, result = std::move(result)] { OnDone(key, result); });
    });
  });
}

void DiagnosisFlow::OnDone(const CheckpointKey& key, const absl::StatusOr<Diagnosis>& result) {
  const auto found = cases_.find(key);
  if (found == cases_.end() || !found->second.under_way) return;
  --under_way_;
  found->second.under_way = false;
  const std::optional<Diagnosis> diagnosis = Conclude(found->second, result);
  if (!diagnosis.has_value()) return;
  cases_.erase(found);
  Checkpoint* const checkpoint = board_.FindCheckpoint(key);
  // A person was faster, or the project wants none.
  if (checkpoint == nullptr || !IsDiagnosed(*checkpoint)) return;
  if (diagnosis->problem.empty() && diagnosis->role.empty()) return;
  diagnoses.Increment({diagnosis->problem.empty() ? "ok" : "none"});
  board_.Diagnose(*checkpoint, *diagnosis);
}

std::optional<Diagnosis> DiagnosisFlow::Conclude(Case& open,
                                                 const absl::StatusOr<Diagnosis>& result) {
  if (result.ok()) return *result;
  const absl::Status& status = result.status();
  const std::string reason = base::ReasonOf(status);
  const base::ErrorDetail detail = base::DetailOf(status).value_or(base::ErrorDetail());
  const bool transient = reason == "GATE_CLOSED" || reason == "DIAGNOSIS_UNREADABLE" ||
                         absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
                         absl::IsCancelled(status);
  if (transient && ++open.failures <= kDiagnosisTriesMax) {
    open.not_before =
        clock_.Elapsed() + detail.retry_after.value_or(StepDelay(open.failures, random_));
    return std::nullopt;
  }
  return Diagnosis{.problem = absl::StrCat(reason.empty() ? "" : reason + ": ", status.message())};
}

std::string DiagnosisFlow::DescribeMemory() const {
  const absl::Duration now = clock_.Elapsed();
  std::string text;
  for (const auto& [key, open] : cases_) {
    absl::StrAppend(&text, key.Name(), " ", open.under_way, " ", open.failures, " ",
                    absl::FormatDuration(std::max(absl::ZeroDuration(), open.not_before - now)),
                    "\n");
  }
  return text;
}

}  // namespace slipway::dispatcher
