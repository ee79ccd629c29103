#include "services/planner/domain/drafter.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/planner/domain/draft_trouble.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/plan_finish.h"
#include "services/planner/domain/plan_reply.h"

namespace slipway::planner {
namespace {

constexpr absl::Duration kNow = absl::ZeroDuration();

Event StepEvent(const PlanHead& head, PlanState to, absl::string_view reason) {
  return PlanStateChanged(head.project_name(), head.name(),
                          {.from = std::string(PlanStateName(head.state)),
                           .to = to,
                           .title = head.title,
                           .reason = std::string(reason),
                           .actor = kPlannerActor});
}

void Fail(PlanChange& change, const std::string& failure) {
  change.events.push_back(StepEvent(change.head, PlanState::kFailed, failure));
  change.head.state = PlanState::kFailed;
  change.head.failure = failure;
  change.draft.reset();
}

bool IsDrafting(const PlanChange& change) {
  return change.head.state == PlanState::kDrafting && change.draft.has_value();
}

}  // namespace

Drafter::Drafter(const Options& options)
    : options_(options),
      // A plan has one job or one timer at a time.
      pool_({.threads = options.threads, .queue_max = kDraftingMax + kPageSizeMax}) {}

absl::Status Drafter::Resume() {
  PlanQuery query = {.state = PlanState::kDrafting, .limit = kPageSizeMax};
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<PlanRow> rows, options_.store.ListPlans(query));
    for (const PlanRow& row : rows) Begin(row.head);
    if (rows.size() < static_cast<size_t>(query.limit)) return absl::OkStatus();
    query.before = rows.back().position;
  }
}

void Drafter::Begin(const PlanHead& plan) {
  {
    base::MutexLock lock(mutex_);
    // A repeat of the request that made the plan may find it already under way.
    if (stopping_ || !entries_.try_emplace(plan.name()).second) return;
  }
  Queue(plan);
}

void Drafter::Cancel(const PlanHead& plan) {
  std::shared_ptr<Cancellation> cancellation;
  {
    base::MutexLock lock(mutex_);
    const auto entry = entries_.find(plan.name());
    if (entry == entries_.end()) return;
    cancellation = entry->second.cancellation;
  }
  cancellation->Cancel();
}

void Drafter::Stop() {
  std::vector<std::shared_ptr<Cancellation>> cancellations;
  std::vector<std::unique_ptr<base::Timer>> timers;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& [name, entry] : entries_) {
      cancellations.push_back(entry.cancellation);
      timers.push_back(std::move(entry.timer));
    }
  }
  timers.clear();
  for (const auto& cancellation : cancellations) cancellation->Cancel();
  pool_.Stop();
}

void Drafter::Queue(const PlanHead& plan) {
  const absl::Status queued = pool_.TryRun([this, plan] { Run(plan); });
  // Only at the end of the process: the plan goes on with the next one.
  queued.IgnoreError();
}

void Drafter::Run(const PlanHead& plan) {
  std::shared_ptr<Cancellation> cancellation;
  {
    base::MutexLock lock(mutex_);
    cancellation = entries_[plan.name()].cancellation;
  }
  int storage_errors = 0;
  while (!cancellation->cancelled()) {
    const absl::StatusOr<Next> next = Step(plan, *cancellation);
    if (!next.ok()) return Schedule(plan, BackoffAfter(next.status(), ++storage_errors));
    if (!next->has_value()) break;
    if (**next > kNow) return Schedule(plan, **next);
  }
  base::MutexLock lock(mutex_);
  entries_.erase(plan.name());
}

void Drafter::Schedule(const PlanHead& plan, absl::Duration wait) {
  std::unique_ptr<base::Timer> timer = options_.clock.RunAfter(wait, [this, plan] { Queue(plan); });
  base::MutexLock lock(mutex_);
  const auto entry = entries_.find(plan.name());
  if (!stopping_ && entry != entries_.end()) entry->second.timer.swap(timer);
}

absl::StatusOr<Drafter::Next> Drafter::Step(const PlanHead& plan, Cancellation& cancellation) {
  ASSIGN_OR_RETURN(PlanHead head, options_.store.GetHead(plan.project, plan.id));
  if (head.state != PlanState::kDrafting) return Next();
  ASSIGN_OR_RETURN(const Project project, options_.store.GetProject(plan.project));
  const absl::StatusOr<std::string> base = options_.repository.OpenPlan(project, head);
  if (base.ok()) {
    head.base_commit = *base;
  } else if (base::ReasonOf(base.status()) != "PLAN_OPEN") {
    return HandleTrouble(head, base.status(), /*resumed_call=*/false);
  }  // Else it is open with the policy that the project had: its files can be read all the same.

  ASSIGN_OR_RETURN(Draft draft, options_.store.GetDraft(plan.project, plan.id));
  const bool resumed_call = draft.call_pending;
  absl::StatusOr<PlanCall> call = PrepareCall(head, project, draft);
  if (!call.ok()) return HandleTrouble(head, call.status(), /*resumed_call=*/false);
  if (!resumed_call) {
    ASSIGN_OR_RETURN(draft, StoreCallId(head));
    call->call_id = draft.call_id;
  }
  const absl::StatusOr<ModelReply> reply = options_.models.Generate(*call, cancellation);
  if (cancellation.cancelled()) return Next();
  if (!reply.ok()) return HandleTrouble(head, reply.status(), resumed_call);
  if (reply->cut) {
    return RefuseReply(head, reply->text, ReplyTruncated("it used up its output tokens"));
  }
  absl::StatusOr<PlanContent> content = ReadPlanReply(reply->text);
  if (!content.ok()) return RefuseReply(head, reply->text, content.status());
  const absl::Status finished = FinishPlan(project.policy, options_.models, *content);
  if (!finished.ok()) return RefuseReply(head, reply->text, finished);
  return Accept(head, *content);
}

absl::StatusOr<PlanCall> Drafter::PrepareCall(const PlanHead& plan, const Project& project,
                                              const Draft& draft) {
  PlanPrompt prompt = {.title = plan.title,
                       .spec = "",
                       .rigor = plan.rigor,
                       .paths = project.policy.paths,
                       .context = ""};
  ASSIGN_OR_RETURN(prompt.spec, options_.store.GetSpec(plan.project, plan.id));
  ASSIGN_OR_RETURN(prompt.context, ReadContext(plan, prompt.spec, draft.context_tokens));
  return PlanCall{.call_id = draft.call_id,
                  .role = options_.planning_role,
                  .project = plan.project_name(),
                  .plan = plan.name(),
                  .turns = draft.problem.empty()
                               ? FirstPrompt(prompt)
                               : RepairPrompt(prompt, draft.refused_reply, draft.problem),
                  .output_tokens_max = OutputTokensMax(plan.rigor)};
}

absl::StatusOr<std::string> Drafter::ReadContext(const PlanHead& plan, const std::string& spec,
                                                 int64_t tokens_max) {
  if (tokens_max < kContextTokensMin) return "";
  ASSIGN_OR_RETURN(const FileList list,
                   options_.repository.ListFiles(plan.project_name(), plan.base_commit));
  std::vector<FileText> chosen;
  for (const std::string& path : ChooseFiles(list.files, spec, tokens_max)) {
    absl::StatusOr<std::string> text =
        options_.repository.ReadFile(plan.project_name(), plan.base_commit, path);
    if (absl::IsUnavailable(text.status())) return text.status();
    // A file that cannot be shown is no reason not to plan.
    if (text.ok()) chosen.push_back({path, *std::move(text)});
  }
  return RenderContext(list.files, list.more, chosen, tokens_max);
}

absl::StatusOr<Draft> Drafter::StoreCallId(const PlanHead& plan) {
  Draft stored;
  ASSIGN_OR_RETURN(
      const PlanHead changed,
      options_.store.ChangePlan(plan.project, plan.id, [&](PlanChange& change) -> absl::Status {
        if (!IsDrafting(change)) {
          return PlanInState(change.head.name(), change.head.state, "DRAFTING");
        }
        Draft& draft = *change.draft;
        ++draft.attempt;
        draft.call_id =
            absl::StrCat("plan:", plan.name(), ":draft:", draft.round, ":", draft.attempt);
        draft.call_pending = true;
        change.head.base_commit = plan.base_commit;
        stored = draft;
        return absl::OkStatus();
      }));
  return stored;
}

absl::StatusOr<Drafter::Next> Drafter::Accept(const PlanHead& plan, const PlanContent& content) {
  ASSIGN_OR_RETURN(const PlanHead changed,
                   options_.store.ChangePlan(plan.project, plan.id, [&](PlanChange& change) {
                     if (!IsDrafting(change)) return absl::OkStatus();
                     PlanHead& head = change.head;
                     change.events.push_back(StepEvent(head, PlanState::kProposed, ""));
                     head.state = PlanState::kProposed;
                     head.version = 1;
                     head.failure.clear();
                     change.content = content;
                     change.draft.reset();
                     change.events.push_back(
                         PlanRevised(head.project_name(), head.name(), head.version,
                                     static_cast<int>(content.tasks.size()), {}, kPlannerActor));
                     return absl::OkStatus();
                   }));
  return Next();
}

absl::StatusOr<Drafter::Next> Drafter::RefuseReply(const PlanHead& plan, const std::string& reply,
                                                   const absl::Status& problem) {
  Next next;
  ASSIGN_OR_RETURN(
      const PlanHead changed,
      options_.store.ChangePlan(plan.project, plan.id, [&](PlanChange& change) {
        if (!IsDrafting(change)) return absl::OkStatus();
        Draft& draft = *change.draft;
        change.events.push_back(PlanReplyRejected(plan.project_name(), plan.name(), draft.round,
                                                  base::ReasonOf(problem), problem.message()));
        if (draft.round > options_.repair_rounds_max) {
          Fail(change, absl::StrCat(Describe(problem), " (after ", draft.round, " replies)"));
          return absl::OkStatus();
        }
        change.head.failure.clear();
        draft = {.round = draft.round + 1,
                 .refused_reply = base::ToUtf8(reply, kQuotedReplyBytesMax),
                 .problem = Describe(problem),
                 .context_tokens = draft.context_tokens};
        next = kNow;
        return absl::OkStatus();
      }));
  return next;
}

absl::StatusOr<Drafter::Next> Drafter::HandleTrouble(const PlanHead& plan,
                                                     const absl::Status& trouble,
                                                     bool resumed_call) {
  Next next;
  ASSIGN_OR_RETURN(
      const PlanHead changed,
      options_.store.ChangePlan(plan.project, plan.id, [&](PlanChange& change) {
        if (!IsDrafting(change)) return absl::OkStatus();
        Draft& draft = *change.draft;
        draft.call_pending = false;
        DraftTrouble kind = ClassifyTrouble(trouble);
        if (resumed_call && kind != DraftTrouble::kWait) {
          // The call was broken off with the process that made it; nobody knows its reply.
          next = kNow;
          return absl::OkStatus();
        }
        if (kind == DraftTrouble::kTooLong) {
          if (draft.context_tokens >= kContextTokensMin) {
            draft.context_tokens /= 2;
            next = kNow;
            return absl::OkStatus();
          }
          kind = DraftTrouble::kFatal;
        }
        if (kind == DraftTrouble::kUnexplained && ++draft.unexplained >= kUnexplainedTriesMax) {
          kind = DraftTrouble::kFatal;
        }
        if (kind == DraftTrouble::kFatal) {
          Fail(change, Describe(trouble));
          return absl::OkStatus();
        }
        change.head.failure = Describe(trouble);
        next = BackoffAfter(trouble, draft.waits++);
        return absl::OkStatus();
      }));
  return next;
}

}  // namespace slipway::planner
