#include "services/dispatcher/rpc/dispatcher_service.h"

#include "lib/rpc/bind.h"
#include "slipway/dispatcher/v1/dispatcher_service.grpc.pb.h"

namespace slipway::dispatcher {
namespace {

class DispatcherBinding final : public v1::DispatcherService::CallbackService {
 public:
  DispatcherBinding(DispatcherHandlers& handlers, ReadLogReactor::Host& log_host,
                    base::Executor& executor)
      : handlers_(handlers), log_host_(log_host), executor_(executor) {}

  SLIPWAY_ASYNC(v1, SubmitPlan, handlers_)
  SLIPWAY_ASYNC(v1, AmendPlan, handlers_)
  SLIPWAY_ASYNC(v1, CancelRun, handlers_)
  SLIPWAY_ASYNC(v1, RetryTask, handlers_)
  SLIPWAY_ASYNC(v1, CancelTask, handlers_)
  SLIPWAY_ASYNC(v1, ResolveCheckpoint, handlers_)
  SLIPWAY_ASYNC(v1, Pause, handlers_)
  SLIPWAY_ASYNC(v1, Resume, handlers_)
  SLIPWAY_ASYNC(v1, ListHosts, handlers_)
  SLIPWAY_ASYNC(v1, CordonHost, handlers_)
  SLIPWAY_ASYNC(v1, UncordonHost, handlers_)
  SLIPWAY_ASYNC(v1, DrainHost, handlers_)
  SLIPWAY_UNARY(v1, GetRun, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListRuns, executor_, handlers_)
  SLIPWAY_UNARY(v1, GetTask, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListTasks, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListAttempts, executor_, handlers_)
  SLIPWAY_UNARY(v1, GetHandoff, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListCheckpoints, executor_, handlers_)
  SLIPWAY_UNARY(v1, Audit, executor_, handlers_)

  grpc::ServerWriteReactor<v1::ReadLogResponse>* ReadLog(
      grpc::CallbackServerContext* context, const v1::ReadLogRequest* request) override {
    return ReadLogReactor::Start(log_host_, *context, *request);
  }

 private:
  DispatcherHandlers& handlers_;
  ReadLogReactor::Host& log_host_;
  base::Executor& executor_;
};

}  // namespace

std::unique_ptr<grpc::Service> BindDispatcherService(DispatcherHandlers& handlers,
                                                     ReadLogReactor::Host& log_host,
                                                     base::Executor& executor) {
  return std::make_unique<DispatcherBinding>(handlers, log_host, executor);
}

}  // namespace slipway::dispatcher
