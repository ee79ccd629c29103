#include "cli/demo/story.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output/quantity_text.h"

namespace slipway::cli {
namespace {

using events::v1::Event;
using events::v1::EventPayload;

// The task that a plan's integration is: no task of the plan.
constexpr char kIntegration[] = "integration";
// The agent's own run of the validators failed, and the model is asked again.
constexpr char kRepairPhase[] = "repair";

std::string LastPart(const std::string& name) { return name.substr(name.rfind('/') + 1); }

}  // namespace

bool Story::Add(const Event& event) {
  if (!seen_[event.log()].insert(event.sequence()).second) return false;
  const std::string task = LastPart(event.task());
  const EventPayload& payload = event.payload();
  if (payload.has_task_state_changed()) AddTaskState(task, payload.task_state_changed());
  if (payload.has_attempt_state_changed()) {
    AddAttemptState(task, event.attempt(), payload.attempt_state_changed());
  }
  if (payload.has_attempt_progressed()) AddProgress(task, payload.attempt_progressed());
  AddReview(task, payload);
  AddMoney(task, payload);
  return true;
}

void Story::AddTaskState(const std::string& task, const events::v1::TaskStateChanged& change) {
  if (change.to() == "MERGED" && task != kIntegration) merged_.insert(task);
  const bool reviewed =
      change.from() == "INSPECTING" || change.from() == "VALIDATING" || change.from() == "JUDGING";
  if (reviewed && change.to() == "READY") ++retried_;
}

void Story::AddAttemptState(const std::string& task, const std::string& attempt,
                            const events::v1::AttemptStateChanged& change) {
  if (change.grant_kind() != "WORK") return;
  // Not what validators said of each tree: what may be flaky, or a change ahead, runs again.
  if (change.to() == "REJECTED" && change.reason() == "VALIDATORS_FAILED") {
    ++failed_;
    incidents_.push_back({Incident::Kind::kFailed, task,
                          std::string(change.detail().substr(0, change.detail().find('\n')))});
  }
  if (change.to() == "ACTIVE") {
    writing_.insert(attempt);
    parallel_max_ = std::max(parallel_max_, static_cast<int>(writing_.size()));
  } else {
    writing_.erase(attempt);
  }
}

void Story::AddProgress(const std::string& task, const events::v1::AttemptProgressed& progress) {
  if (progress.phase() != kRepairPhase) return;
  ++repairs_;
  incidents_.push_back({Incident::Kind::kRepair, task, progress.detail()});
}

void Story::AddReview(const std::string& task, const EventPayload& payload) {
  using Kind = Incident::Kind;
  switch (payload.payload_case()) {
    case EventPayload::kPatchRefused:
      ++refused_;
      incidents_.push_back(
          {Kind::kRefused, task,
           absl::StrCat(payload.patch_refused().reason(), " ", payload.patch_refused().path(), ": ",
                        payload.patch_refused().detail())});
      return;
    case EventPayload::kCandidateConflicted:
      ++conflicts_;
      incidents_.push_back(
          {Kind::kConflict, task, absl::StrJoin(payload.candidate_conflicted().paths(), ", ")});
      return;
    case EventPayload::kVerdictGiven:
      if (payload.verdict_given().verdict() != "GAPS_FOUND") return;
      ++gaps_;
      incidents_.push_back({Kind::kGaps, task, payload.verdict_given().summary()});
      return;
    default:
      return;
  }
}

void Story::AddMoney(const std::string& task, const EventPayload& payload) {
  using Kind = Incident::Kind;
  if (payload.has_budget_denied()) {
    const events::v1::BudgetDenied& denied = payload.budget_denied();
    ++budget_denials_;
    incidents_.push_back({Kind::kDenied, task,
                          absl::StrCat("it needs ", MoneyText(denied.requested()), ", ",
                                       MoneyText(denied.remaining()), " are left")});
  } else if (payload.has_budget_changed() && payload.budget_changed().old_limit() >= 0 &&
             payload.budget_changed().new_limit() > payload.budget_changed().old_limit()) {
    incidents_.push_back({Kind::kRaised, task,
                          absl::StrCat("from ", MoneyText(payload.budget_changed().old_limit()),
                                       " to ", MoneyText(payload.budget_changed().new_limit()))});
  }
}

}  // namespace slipway::cli
