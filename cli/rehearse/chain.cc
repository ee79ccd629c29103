#include "cli/rehearse/chain.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "cli/command/requests.h"
#include "cli/rehearse/reply_script.h"
#include "lib/base/error.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::Checkpoint;
using dispatcher::v1::DispatcherService;
using planner::v1::PlannerService;
using repository::v1::RepositoryService;
using reviewer::v1::ReviewerService;

constexpr absl::Duration kTick = absl::Milliseconds(200);
// Longer than any step of a plan without validators, also on a machine that is busy.
constexpr absl::Duration kStuckAfter = absl::Minutes(10);
constexpr char kIntegrationTask[] = "integration";

std::string ReasonsText(const reviewer::v1::InspectResponse::Refused& refused) {
  std::string text;
  for (const reviewer::v1::Reason& reason : refused.reasons()) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", reason.code(),
                    reason.path().empty() ? "" : absl::StrCat(" ", reason.path()), ": ",
                    reason.detail());
    if (text.size() > 500) break;
  }
  return text;
}

EventStream::Options StreamOptions(const std::string& plan) {
  EventStream::Options options;
  options.filter.set_plan(plan);
  for (const char* const kind : {"task.", "run.", "checkpoint."}) options.filter.add_kinds(kind);
  return options;
}

}  // namespace

Chain::Chain(Connection& connection, base::Clock& clock, absl::Span<const HistoricCommit> commits,
             Options options)
    : connection_(connection),
      clock_(clock),
      commits_(commits),
      options_(std::move(options)),
      replays_(commits.size()) {
  for (size_t i = 0; i < commits.size(); ++i) index_[TaskIdOf(commits[i])] = i;
}

absl::StatusOr<size_t> Chain::Run() {
  RETURN_IF_ERROR(Start());
  RETURN_IF_ERROR(Follow());
  RETURN_IF_ERROR(Compare());
  if (!broken_.has_value()) return commits_.size();
  RETURN_IF_ERROR(Cancel());
  return *broken_ + 1;
}

absl::Status Chain::Start() {
  planner::v1::ImportPlanRequest import;
  import.set_parent(options_.project);
  import.set_request_id(base::RandomIds().NewId("rehearse"));
  planner::v1::Plan& plan = *import.mutable_plan();
  plan.set_title(options_.title);
  plan.set_rigor(planner::v1::RIGOR_QUICK);
  plan.set_base_commit(commits_.front().parent);
  for (size_t i = 0; i < commits_.size(); ++i) {
    planner::v1::PlanTask& task = *plan.add_tasks();
    task.set_id(TaskIdOf(commits_[i]));
    task.set_title(commits_[i].subject.empty() ? commits_[i].commit : commits_[i].subject);
    task.set_description(absl::StrCat("Replay commit ", commits_[i].commit, "."));
    task.set_intent("code");
    if (i > 0) task.add_depends_on(TaskIdOf(commits_[i - 1]));
  }
  ASSIGN_OR_RETURN(
      const auto imported,
      connection_.Call(connection_.planner(), &PlannerService::StubInterface::ImportPlan, import));
  plan_ = imported.plan().name();
  planner::v1::ApprovePlanRequest approve;
  approve.set_name(plan_);
  approve.set_version(imported.plan().version());
  RETURN_IF_ERROR(
      connection_.Call(connection_.planner(), &PlannerService::StubInterface::ApprovePlan, approve)
          .status());
  planner::v1::StartPlanRequest start;
  start.set_name(plan_);
  // The first start of a project brings all of history into its mirror.
  const absl::Status started =
      connection_
          .Call(connection_.planner(), &PlannerService::StubInterface::StartPlan, start,
                kStuckAfter)
          .status();
  // It is ordered, and starts by itself.
  return base::ReasonOf(started) == "START_PENDING" ? absl::OkStatus() : started;
}

absl::Status Chain::Follow() {
  EventStream stream(connection_, StreamOptions(plan_));
  absl::Duration last = clock_.Elapsed();
  while (!ended_ && !broken_.has_value()) {
    ASSIGN_OR_RETURN(const std::vector<events::v1::Event> events, stream.Next(kTick));
    for (const events::v1::Event& event : events) {
      RETURN_IF_ERROR(TakeEvent(event));
      if (ended_ || broken_.has_value()) break;
    }
    RETURN_IF_ERROR(options_.check());
    if (!events.empty()) last = clock_.Elapsed();
    if (clock_.Elapsed() - last > kStuckAfter) {
      return base::Error(absl::StatusCode::kDeadlineExceeded, "REHEARSAL_STUCK",
                         absl::StrCat("nothing happens in ", plan_, " any more, where ", merged_,
                                      " of ", commits_.size(), " tasks are merged"),
                         {{"plan", plan_}});
    }
  }
  return absl::OkStatus();
}

absl::Status Chain::TakeEvent(const events::v1::Event& event) {
  const events::v1::EventPayload& payload = event.payload();
  if (payload.has_run_state_changed()) {
    const std::string& to = payload.run_state_changed().to();
    ended_ = to == "SUCCEEDED" || to == "FAILED" || to == "CANCELLED";
  } else if (payload.has_checkpoint_opened()) {
    return Decide(payload.checkpoint_opened().checkpoint(), event.task());
  } else if (payload.has_task_state_changed() && payload.task_state_changed().to() == "MERGED" &&
             IndexOf(event.task()).has_value()) {
    ++merged_;
  }
  return absl::OkStatus();
}

// The rehearsal is the person who is asked.
absl::Status Chain::Decide(const std::string& checkpoint, const std::string& task) {
  const std::optional<size_t> index = IndexOf(task);
  // History has moved on past the plan, so its merge may conflict; the branch is what counts.
  if (!index.has_value()) {
    return LastId(task) == kIntegrationTask ? Resolve(checkpoint, Checkpoint::DECISION_SKIP)
                                            : absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const Checkpoint asked, FindCheckpoint(checkpoint));
  if (asked.decision() != Checkpoint::DECISION_UNSPECIFIED) return absl::OkStatus();
  ASSIGN_OR_RETURN(Replay replay, WhyNot(task, asked));
  const bool waivable = asked.reason() == "QUARANTINE" &&
                        std::find(asked.options().begin(), asked.options().end(),
                                  Checkpoint::DECISION_ACCEPT) != asked.options().end();
  if (waivable && replays_[*index].waiver.empty()) {
    replays_[*index].waiver = replay.reason;
    return Resolve(checkpoint, Checkpoint::DECISION_ACCEPT);
  }
  replay.waiver = replays_[*index].waiver;
  replays_[*index] = std::move(replay);
  broken_ = *index;
  return absl::OkStatus();
}

absl::Status Chain::Resolve(const std::string& checkpoint, Checkpoint::Decision decision) {
  dispatcher::v1::ResolveCheckpointRequest request;
  request.set_name(checkpoint);
  request.set_decision(decision);
  return connection_
      .Call(connection_.dispatcher(), &DispatcherService::StubInterface::ResolveCheckpoint, request)
      .status();
}

absl::StatusOr<Checkpoint> Chain::FindCheckpoint(const std::string& name) {
  ASSIGN_OR_RETURN(const auto list, ListCheckpoints(connection_, plan_, /*resolved_too=*/true));
  for (const Checkpoint& checkpoint : list.checkpoints()) {
    if (checkpoint.name() == name) return checkpoint;
  }
  return base::Error(absl::StatusCode::kNotFound, "CHECKPOINT_UNKNOWN",
                     absl::StrCat("there is no checkpoint ", name), {{"checkpoint", name}});
}

absl::StatusOr<Replay> Chain::WhyNot(const std::string& task, const Checkpoint& asked) {
  reviewer::v1::GetReviewRequest request;
  request.set_task(task);
  ASSIGN_OR_RETURN(const auto review,
                   connection_.Call(connection_.reviewer(),
                                    &ReviewerService::StubInterface::GetReview, request));
  if (!review.attempts().empty()) {
    const auto& inspection = review.attempts().rbegin()->inspection();
    if (inspection.has_refused()) {
      return Replay{.verdict = Replay::Verdict::kRefused,
                    .reason = ReasonsText(inspection.refused())};
    }
  }
  // Of the agent: it reads patches as strictly as the reviewer does.
  ASSIGN_OR_RETURN(const auto attempts, ListAttempts(connection_, task));
  const bool gave_up = asked.reason() == "RETRIES_SPENT" || asked.reason() == "SAME_FAILURE" ||
                       asked.reason() == "FAILURE_PATTERN";
  const bool by_agent =
      gave_up && !attempts.attempts().empty() &&
      attempts.attempts().rbegin()->state() == dispatcher::v1::Attempt::STATE_FAILED;
  if (by_agent) {
    const dispatcher::v1::Attempt& last = *attempts.attempts().rbegin();
    return Replay{.verdict = Replay::Verdict::kRefused,
                  .reason = absl::StrCat(last.reason(), ": ", last.detail())};
  }
  return Replay{.verdict = Replay::Verdict::kDifferent,
                .reason = absl::StrCat(asked.reason(), ": ", asked.question())};
}

// The plan's branch is the witness, not the events.
absl::Status Chain::Compare() {
  repository::v1::ListCommitsRequest request;
  request.set_plan(plan_);
  request.set_page_size(1'000);
  ASSIGN_OR_RETURN(const auto list,
                   AllPages(connection_, connection_.repository(),
                            &RepositoryService::StubInterface::ListCommits, request,
                            [](auto& page) { return page.mutable_commits(); }));
  for (const repository::v1::Commit& commit : list.commits()) {
    const std::optional<size_t> index = IndexOf(commit.task());
    if (index.has_value()) replays_[*index].tree = commit.tree();
  }
  const size_t end = broken_.value_or(commits_.size());
  for (size_t i = 0; i < end; ++i) {
    Replay& replay = replays_[i];
    if (replay.tree == commits_[i].tree) {
      replay.verdict = Replay::Verdict::kExact;
      Settle(i, replay);
      continue;
    }
    replay.verdict = Replay::Verdict::kDifferent;
    replay.reason = replay.tree.empty() ? "NOT_MERGED: the plan ended without it"
                                        : "TREE_DIFFERS: another tree landed";
    broken_ = i;
    break;
  }
  if (broken_.has_value()) Settle(*broken_, replays_[*broken_]);
  return absl::OkStatus();
}

absl::Status Chain::Cancel() {
  dispatcher::v1::CancelRunRequest request;
  request.set_plan(plan_);
  request.set_reason("a commit was not replayed; what follows it is replayed by another plan");
  const absl::Status status =
      connection_
          .Call(connection_.dispatcher(), &DispatcherService::StubInterface::CancelRun, request)
          .status();
  return base::ReasonOf(status) == "RUN_STATE" ? absl::OkStatus() : status;  // It has ended.
}

void Chain::Settle(size_t index, Replay replay) { options_.on_replay(index, replay); }

std::optional<size_t> Chain::IndexOf(const std::string& task) const {
  const auto found = index_.find(LastId(task));
  return found == index_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace slipway::cli
