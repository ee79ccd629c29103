#pragma once

#include "lib/base/executor.h"
#include "lib/rpc/serve.h"
#include "services/dispatcher/rpc/dispatcher_handlers.h"
#include "services/dispatcher/rpc/read_log_reactor.h"
#include "slipway/dispatcher/v1/dispatcher_service.grpc.pb.h"

namespace slipway::dispatcher {

// Binds DispatcherService to its handlers, which must outlive it.
class DispatcherService final : public v1::DispatcherService::CallbackService {
 public:
  DispatcherService(DispatcherHandlers& handlers, ReadLogReactor::Host& log_host,
                    base::Executor& executor)
      : handlers_(handlers), log_host_(log_host), executor_(executor) {}

#define SLIPWAY_ASYNC(method)                                                                    \
  grpc::ServerUnaryReactor* method(grpc::CallbackServerContext* context,                         \
                                   const v1::method##Request* request,                           \
                                   v1::method##Response* response) override {                    \
    return rpc::ServeAsync(context, request, response, &handlers_, &DispatcherHandlers::method); \
  }
#define SLIPWAY_UNARY(method)                                                 \
  grpc::ServerUnaryReactor* method(grpc::CallbackServerContext* context,      \
                                   const v1::method##Request* request,        \
                                   v1::method##Response* response) override { \
    return rpc::ServeUnary(executor_, context, request, response, &handlers_, \
                           &DispatcherHandlers::method);                      \
  }
  SLIPWAY_ASYNC(SubmitPlan)
  SLIPWAY_ASYNC(AmendPlan)
  SLIPWAY_ASYNC(CancelRun)
  SLIPWAY_ASYNC(RetryTask)
  SLIPWAY_ASYNC(CancelTask)
  SLIPWAY_ASYNC(ResolveCheckpoint)
  SLIPWAY_ASYNC(Pause)
  SLIPWAY_ASYNC(Resume)
  SLIPWAY_ASYNC(ListHosts)
  SLIPWAY_UNARY(GetRun)
  SLIPWAY_UNARY(ListRuns)
  SLIPWAY_UNARY(GetTask)
  SLIPWAY_UNARY(ListTasks)
  SLIPWAY_UNARY(ListAttempts)
  SLIPWAY_UNARY(ListCheckpoints)
#undef SLIPWAY_ASYNC
#undef SLIPWAY_UNARY

  grpc::ServerWriteReactor<v1::ReadLogResponse>* ReadLog(
      grpc::CallbackServerContext* context, const v1::ReadLogRequest* request) override {
    return ReadLogReactor::Start(log_host_, *context, *request);
  }

 private:
  DispatcherHandlers& handlers_;
  ReadLogReactor::Host& log_host_;
  base::Executor& executor_;
};

}  // namespace slipway::dispatcher
