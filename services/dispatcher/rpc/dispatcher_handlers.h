#pragma once

#include <atomic>

#include "absl/status/statusor.h"
#include "lib/base/reply.h"
#include "lib/rpc/call.h"
#include "services/dispatcher/domain/attempt_logs.h"
#include "services/dispatcher/domain/dispatcher.h"
#include "services/dispatcher/domain/task_store.h"
#include "slipway/dispatcher/v1/dispatcher_service.pb.h"

namespace slipway::dispatcher {

// The unary methods of DispatcherService. What changes something goes to the core and answers after
// its commit; what reads sees the store and blocks on disk. Thread-safe.
class DispatcherHandlers final {
 public:
  DispatcherHandlers(Dispatcher& dispatcher, TaskStore& store, AttemptLogs& logs)
      : dispatcher_(dispatcher), store_(store), logs_(logs) {}

  void SubmitPlan(const rpc::Call& call, const v1::SubmitPlanRequest& request,
                  base::Reply<v1::SubmitPlanResponse> reply);
  void AmendPlan(const rpc::Call& call, const v1::AmendPlanRequest& request,
                 base::Reply<v1::AmendPlanResponse> reply);
  void CancelRun(const rpc::Call& call, const v1::CancelRunRequest& request,
                 base::Reply<v1::CancelRunResponse> reply);
  void RetryTask(const rpc::Call& call, const v1::RetryTaskRequest& request,
                 base::Reply<v1::RetryTaskResponse> reply);
  void CancelTask(const rpc::Call& call, const v1::CancelTaskRequest& request,
                  base::Reply<v1::CancelTaskResponse> reply);
  void ResolveCheckpoint(const rpc::Call& call, const v1::ResolveCheckpointRequest& request,
                         base::Reply<v1::ResolveCheckpointResponse> reply);
  void Pause(const rpc::Call& call, const v1::PauseRequest& request,
             base::Reply<v1::PauseResponse> reply);
  void Resume(const rpc::Call& call, const v1::ResumeRequest& request,
              base::Reply<v1::ResumeResponse> reply);
  void ListHosts(const rpc::Call& call, const v1::ListHostsRequest& request,
                 base::Reply<v1::ListHostsResponse> reply);
  void CordonHost(const rpc::Call& call, const v1::CordonHostRequest& request,
                  base::Reply<v1::CordonHostResponse> reply);
  void UncordonHost(const rpc::Call& call, const v1::UncordonHostRequest& request,
                    base::Reply<v1::UncordonHostResponse> reply);
  void DrainHost(const rpc::Call& call, const v1::DrainHostRequest& request,
                 base::Reply<v1::DrainHostResponse> reply);

  absl::StatusOr<v1::GetRunResponse> GetRun(const rpc::Call& call,
                                            const v1::GetRunRequest& request);
  absl::StatusOr<v1::ListRunsResponse> ListRuns(const rpc::Call& call,
                                                const v1::ListRunsRequest& request);
  absl::StatusOr<v1::GetTaskResponse> GetTask(const rpc::Call& call,
                                              const v1::GetTaskRequest& request);
  absl::StatusOr<v1::ListTasksResponse> ListTasks(const rpc::Call& call,
                                                  const v1::ListTasksRequest& request);
  absl::StatusOr<v1::ListAttemptsResponse> ListAttempts(const rpc::Call& call,
                                                        const v1::ListAttemptsRequest& request);
  absl::StatusOr<v1::GetHandoffResponse> GetHandoff(const rpc::Call& call,
                                                    const v1::GetHandoffRequest& request);
  absl::StatusOr<v1::ListCheckpointsResponse> ListCheckpoints(
      const rpc::Call& call, const v1::ListCheckpointsRequest& request);
  absl::StatusOr<v1::AuditResponse> Audit(const rpc::Call& call, const v1::AuditRequest& request);

 private:
  absl::Status FillRun(const Run& run, v1::Run& proto);
  void FillTask(const Task& task, v1::Task& proto);

  Dispatcher& dispatcher_;
  TaskStore& store_;
  AttemptLogs& logs_;
  std::atomic<bool> is_auditing_ = false;
};

}  // namespace slipway::dispatcher
