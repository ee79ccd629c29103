#include "services/dispatcher/rpc/dispatcher_handlers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/proto_time.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/rpc/convert.h"

namespace slipway::dispatcher {
namespace {

metrics::Counter audits({.name = "slipway_dispatcher_audits_total",
                         .description = "Audits, by outcome: holds, broken, failed.",
                         .labels = {"outcome"}});
metrics::Gauge audit_breaches({.name = "slipway_dispatcher_audit_breaches",
                               .description = "Breaches that the last audit found."});

void CountAudit(const absl::StatusOr<AuditResult>& result) {
  if (!result.ok()) return audits.Increment({"failed"});
  size_t breaches = 0;
  for (const AuditCheck& check : result->checks) breaches += check.breaches.size();
  audits.Increment({breaches == 0 ? "holds" : "broken"});
  audit_breaches.Set(static_cast<double>(breaches));
}

absl::StatusOr<int> PageSize(int size, int otherwise, int size_max) {
  if (size < 0) return PageInvalid("page_size must not be negative");
  return size == 0 ? otherwise : std::min(size, size_max);
}

// Tokens are positions; an empty one is the start.
absl::StatusOr<int64_t> PageStart(const std::string& token) {
  int64_t position = 0;
  if (token.empty()) return position;
  if (!absl::SimpleAtoi(token, &position) || position < 0) {
    return PageInvalid("page_token is not one that this method returned");
  }
  return position;
}

std::string PageToken(int64_t position) {
  return position == 0 ? std::string() : absl::StrCat(position);
}

absl::Status CheckScope(const std::string& scope) {
  if (scope == kEverything) return absl::OkStatus();
  if (CheckProjectName(scope).ok() || CheckPlanName(scope).ok()) return absl::OkStatus();
  if (ParseTaskKey(scope).ok()) return absl::OkStatus();
  return base::Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
                     absl::StrCat("'", scope,
                                  "' is not the name of a project, plan or task, nor "
                                  "\"everything\""),
                     {{"name", scope}});
}

// A reply of the core that becomes a response by `convert`, void(const T&, Response&).
template <typename T, typename Response, typename Convert>
base::Reply<T> Converted(base::Reply<Response> reply, Convert convert) {
  return base::Reply<T>([reply = std::move(reply), convert](absl::StatusOr<T> result) mutable {
    if (!result.ok()) return std::move(reply)(result.status());
    Response response;
    convert(*result, response);
    std::move(reply)(std::move(response));
  });
}

constexpr auto AsHost = [](const HostStatus& host, auto& response) {
  ToProto(host, *response.mutable_host());
};

}  // namespace

void DispatcherHandlers::SubmitPlan(const rpc::Call&, const v1::SubmitPlanRequest& request,
                                    base::Reply<v1::SubmitPlanResponse> reply) {
  absl::StatusOr<PlanSpec> spec = PlanSpecFromProto(request.spec());
  if (!spec.ok()) return std::move(reply)(spec.status());
  dispatcher_.SubmitPlan(*std::move(spec),
                         Converted<Run>(std::move(reply), [](const Run& run, auto& response) {
                           ToProto(run, false, {}, *response.mutable_run());
                         }));
}

void DispatcherHandlers::AmendPlan(const rpc::Call&, const v1::AmendPlanRequest& request,
                                   base::Reply<v1::AmendPlanResponse> reply) {
  absl::StatusOr<PlanAmendment> amendment = AmendmentFromProto(request.amendment());
  if (!amendment.ok()) return std::move(reply)(amendment.status());
  dispatcher_.AmendPlan(*std::move(amendment), request.validate_only(),
                        Converted<Run>(std::move(reply), [](const Run& run, auto& response) {
                          ToProto(run, false, {}, *response.mutable_run());
                        }));
}

void DispatcherHandlers::CancelRun(const rpc::Call&, const v1::CancelRunRequest& request,
                                   base::Reply<v1::CancelRunResponse> reply) {
  if (absl::Status name = CheckPlanName(request.plan()); !name.ok()) {
    return std::move(reply)(std::move(name));
  }
  dispatcher_.CancelRun(request.plan(), request.reason(),
                        Converted<Run>(std::move(reply), [](const Run& run, auto& response) {
                          ToProto(run, false, {}, *response.mutable_run());
                        }));
}

void DispatcherHandlers::RetryTask(const rpc::Call& call, const v1::RetryTaskRequest& request,
                                   base::Reply<v1::RetryTaskResponse> reply) {
  absl::StatusOr<TaskKey> key = ParseTaskKey(request.name());
  if (!key.ok()) return std::move(reply)(key.status());
  dispatcher_.RetryTask(*std::move(key), request.guidance(), call.principal(),
                        Converted<Task>(std::move(reply), [](const Task& task, auto& response) {
                          ToProto(task, *response.mutable_task());
                        }));
}

void DispatcherHandlers::CancelTask(const rpc::Call&, const v1::CancelTaskRequest& request,
                                    base::Reply<v1::CancelTaskResponse> reply) {
  absl::StatusOr<TaskKey> key = ParseTaskKey(request.name());
  if (!key.ok()) return std::move(reply)(key.status());
  dispatcher_.CancelTask(*std::move(key),
                         Converted<Task>(std::move(reply), [](const Task& task, auto& response) {
                           ToProto(task, *response.mutable_task());
                         }));
}

void DispatcherHandlers::ResolveCheckpoint(const rpc::Call& call,
                                           const v1::ResolveCheckpointRequest& request,
                                           base::Reply<v1::ResolveCheckpointResponse> reply) {
  absl::StatusOr<CheckpointKey> key = ParseCheckpointKey(request.name());
  if (!key.ok()) return std::move(reply)(key.status());
  if (!v1::Checkpoint::Decision_IsValid(request.decision()) || request.decision() == 0) {
    return std::move(reply)(DecisionInvalid(absl::StrCat(request.decision()),
                                            "RETRY, SKIP, FAIL, EDIT or ACCEPT as listed"));
  }
  dispatcher_.ResolveCheckpoint(
      *std::move(key), static_cast<Decision>(request.decision()), request.guidance(),
      call.principal(),
      Converted<Resolution>(std::move(reply), [](const Resolution& resolution, auto& response) {
        ToProto(resolution.checkpoint, *response.mutable_checkpoint());
        ToProto(resolution.task, *response.mutable_task());
      }));
}

void DispatcherHandlers::Pause(const rpc::Call& call, const v1::PauseRequest& request,
                               base::Reply<v1::PauseResponse> reply) {
  if (absl::Status scope = CheckScope(request.scope()); !scope.ok()) {
    return std::move(reply)(std::move(scope));
  }
  if (request.reason().size() > kGuidanceBytesMax) {
    return std::move(reply)(GuidanceTooLarge(request.reason().size()));
  }
  dispatcher_.Pause(request.scope(), request.stop_agents(), request.reason(), call.principal(),
                    Converted<int>(std::move(reply), [](int stopped, auto& response) {
                      response.set_stopped(stopped);
                    }));
}

void DispatcherHandlers::Resume(const rpc::Call& call, const v1::ResumeRequest& request,
                                base::Reply<v1::ResumeResponse> reply) {
  if (absl::Status scope = CheckScope(request.scope()); !scope.ok()) {
    return std::move(reply)(std::move(scope));
  }
  dispatcher_.Resume(request.scope(), call.principal(),
                     Converted<int>(std::move(reply), [](int resumed, auto& response) {
                       response.set_resumed(resumed);
                     }));
}

void DispatcherHandlers::ListHosts(const rpc::Call&, const v1::ListHostsRequest&,
                                   base::Reply<v1::ListHostsResponse> reply) {
  dispatcher_.ListHosts(Converted<std::vector<HostStatus>>(
      std::move(reply), [](const std::vector<HostStatus>& hosts, auto& response) {
        for (const HostStatus& host : hosts) ToProto(host, *response.add_hosts());
      }));
}

void DispatcherHandlers::CordonHost(const rpc::Call& call, const v1::CordonHostRequest& request,
                                    base::Reply<v1::CordonHostResponse> reply) {
  if (request.reason().size() > kGuidanceBytesMax) {
    return std::move(reply)(GuidanceTooLarge(request.reason().size()));
  }
  dispatcher_.CordonHost(request.host(), request.reason(), call.principal(),
                         Converted<HostStatus>(std::move(reply), AsHost));
}

void DispatcherHandlers::UncordonHost(const rpc::Call& call, const v1::UncordonHostRequest& request,
                                      base::Reply<v1::UncordonHostResponse> reply) {
  dispatcher_.UncordonHost(request.host(), call.principal(),
                           Converted<HostStatus>(std::move(reply), AsHost));
}

void DispatcherHandlers::DrainHost(const rpc::Call& call, const v1::DrainHostRequest& request,
                                   base::Reply<v1::DrainHostResponse> reply) {
  if (request.reason().size() > kGuidanceBytesMax) {
    return std::move(reply)(GuidanceTooLarge(request.reason().size()));
  }
  const absl::Duration patience =
      request.has_timeout() ? rpc::FromProto(request.timeout()) : absl::InfiniteDuration();
  if (patience < absl::ZeroDuration()) return std::move(reply)(DrainInvalid());
  dispatcher_.DrainHost(request.host(), patience, request.reason(), call.principal(),
                        Converted<HostStatus>(std::move(reply), AsHost));
}

absl::Status DispatcherHandlers::FillRun(const Run& run, v1::Run& proto) {
  ASSIGN_OR_RETURN(const auto counts, store_.CountTasks(run.plan));
  ASSIGN_OR_RETURN(const std::vector<dispatcher::Pause> pauses, store_.ListPauses());
  const bool paused = std::any_of(pauses.begin(), pauses.end(), [&](const auto& pause) {
    return Covers(pause.scope, {.plan = run.plan, .id = ""});
  });
  ToProto(run, paused && !IsEnd(run.state), counts, proto);
  for (const auto& [reason, count] : dispatcher_.waits().CountOf(run.plan)) {
    (*proto.mutable_waits_by_reason())[std::string(Name(reason))] = count;
  }
  return absl::OkStatus();
}

void DispatcherHandlers::FillTask(const Task& task, v1::Task& proto) {
  ToProto(task, proto);
  // The core is a moment ahead of what is stored.
  if (task.state != TaskState::kReady && task.state != TaskState::kValidating) return;
  const std::optional<Wait> wait = dispatcher_.waits().Find(task.key);
  if (wait.has_value()) ToProto(*wait, *proto.mutable_wait());
}

absl::StatusOr<v1::GetRunResponse> DispatcherHandlers::GetRun(const rpc::Call&,
                                                              const v1::GetRunRequest& request) {
  RETURN_IF_ERROR(CheckPlanName(request.plan()));
  ASSIGN_OR_RETURN(const std::optional<Run> run, store_.FindRun(request.plan()));
  if (!run.has_value()) return RunUnknown(request.plan());
  v1::GetRunResponse response;
  RETURN_IF_ERROR(FillRun(*run, *response.mutable_run()));
  return response;
}

absl::StatusOr<v1::ListRunsResponse> DispatcherHandlers::ListRuns(
    const rpc::Call&, const v1::ListRunsRequest& request) {
  if (!request.project().empty()) RETURN_IF_ERROR(CheckProjectName(request.project()));
  ASSIGN_OR_RETURN(const int size, PageSize(request.page_size(), kPageSizeDefault, kPageSizeMax));
  ASSIGN_OR_RETURN(const int64_t before, PageStart(request.page_token()));
  ASSIGN_OR_RETURN(const TaskStore::RunPage page, store_.ListRuns(request.project(), before, size));
  v1::ListRunsResponse response;
  for (const Run& run : page.runs) RETURN_IF_ERROR(FillRun(run, *response.add_runs()));
  response.set_next_page_token(PageToken(page.next));
  return response;
}

absl::StatusOr<v1::GetTaskResponse> DispatcherHandlers::GetTask(const rpc::Call&,
                                                                const v1::GetTaskRequest& request) {
  ASSIGN_OR_RETURN(const TaskKey key, ParseTaskKey(request.name()));
  ASSIGN_OR_RETURN(const std::optional<Task> task, store_.FindTask(key));
  if (!task.has_value()) return TaskUnknown(request.name());
  v1::GetTaskResponse response;
  FillTask(*task, *response.mutable_task());
  return response;
}

absl::StatusOr<v1::ListTasksResponse> DispatcherHandlers::ListTasks(
    const rpc::Call&, const v1::ListTasksRequest& request) {
  RETURN_IF_ERROR(CheckPlanName(request.plan()));
  ASSIGN_OR_RETURN(const int size,
                   PageSize(request.page_size(), kTaskPageSizeDefault, kTaskPageSizeMax));
  ASSIGN_OR_RETURN(const int64_t from, PageStart(request.page_token()));
  if (from > static_cast<int64_t>(kTasksMax)) return PageInvalid("page_token is out of range");
  std::vector<TaskState> states;
  for (const int state : request.states()) states.push_back(static_cast<TaskState>(state));
  ASSIGN_OR_RETURN(const std::vector<Task> tasks,
                   store_.ListTasks(request.plan(), states, static_cast<int>(from), size + 1));
  v1::ListTasksResponse response;
  for (const Task& task : tasks) {
    if (response.tasks_size() == size) {
      response.set_next_page_token(PageToken(task.position));
      break;
    }
    FillTask(task, *response.add_tasks());
  }
  return response;
}

absl::StatusOr<v1::ListAttemptsResponse> DispatcherHandlers::ListAttempts(
    const rpc::Call&, const v1::ListAttemptsRequest& request) {
  ASSIGN_OR_RETURN(const TaskKey key, ParseTaskKey(request.task()));
  ASSIGN_OR_RETURN(const std::optional<Task> task, store_.FindTask(key));
  if (!task.has_value()) return TaskUnknown(request.task());
  ASSIGN_OR_RETURN(const std::vector<Attempt> attempts, store_.ListAttempts(key));
  v1::ListAttemptsResponse response;
  for (const Attempt& attempt : attempts) {
    ToProto(attempt, logs_.Size(attempt.key), *response.add_attempts());
  }
  return response;
}

absl::StatusOr<v1::GetHandoffResponse> DispatcherHandlers::GetHandoff(
    const rpc::Call&, const v1::GetHandoffRequest& request) {
  ASSIGN_OR_RETURN(const AttemptKey key, ParseAttemptKey(request.attempt()));
  ASSIGN_OR_RETURN(const std::optional<Attempt> attempt, store_.FindAttempt(key));
  if (!attempt.has_value()) return AttemptUnknown(request.attempt());
  ASSIGN_OR_RETURN(const std::optional<TaskStore::KeptChange> kept, store_.FindChange(key));
  v1::GetHandoffResponse response;
  ToProto(*attempt, logs_.Size(key), *response.mutable_attempt());
  response.set_commit(attempt->commit);
  if (!kept.has_value()) return response;
  response.set_has_change(true);
  response.set_salvaged(kept->salvage);
  response.set_summary(kept->change.summary);
  response.set_patch_bytes(static_cast<int64_t>(kept->change.patch.size()));
  if (kept->change.patch.size() <= kHandoffPatchBytesMax) response.set_patch(kept->change.patch);
  return response;
}

absl::StatusOr<v1::ListCheckpointsResponse> DispatcherHandlers::ListCheckpoints(
    const rpc::Call&, const v1::ListCheckpointsRequest& request) {
  if (!request.plan().empty()) RETURN_IF_ERROR(CheckPlanName(request.plan()));
  ASSIGN_OR_RETURN(const int size, PageSize(request.page_size(), kPageSizeDefault, kPageSizeMax));
  ASSIGN_OR_RETURN(const int64_t after, PageStart(request.page_token()));
  ASSIGN_OR_RETURN(const TaskStore::CheckpointPage page,
                   store_.ListCheckpoints(request.plan(), request.show_resolved(), after, size));
  v1::ListCheckpointsResponse response;
  for (const Checkpoint& checkpoint : page.checkpoints) {
    ToProto(checkpoint, *response.add_checkpoints());
  }
  response.set_next_page_token(PageToken(page.next));
  return response;
}

absl::StatusOr<v1::AuditResponse> DispatcherHandlers::Audit(const rpc::Call&,
                                                            const v1::AuditRequest&) {
  if (is_auditing_.exchange(true)) return AuditRunning();
  const absl::StatusOr<AuditResult> result = store_.Audit();
  is_auditing_ = false;
  CountAudit(result);
  RETURN_IF_ERROR(result.status());
  return AuditToProto(*result);
}

}  // namespace slipway::dispatcher
