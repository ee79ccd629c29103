#pragma once

#include <grpcpp/server_context.h>

#include <memory>
#include <utility>

#include "lib/base/executor.h"
#include "lib/rpc/serve.h"
#include "services/gateway/rpc/merged_event_handlers.h"
#include "services/gateway/rpc/merged_watch.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::gateway {

// Serves the merge of all logs as slipway.events.v1.EventLogService. The executor must outlive the
// service, and the service the server that it is registered with.
class MergedEventService final : public events::v1::EventLogService::CallbackService {
 public:
  MergedEventService(std::shared_ptr<MergedLogs> logs, base::Executor& executor)
      : logs_(logs), handlers_(std::move(logs)), executor_(executor) {}

  grpc::ServerWriteReactor<events::v1::WatchResponse>* Watch(
      grpc::CallbackServerContext* context, const events::v1::WatchRequest* request) override {
    return MergedWatch::Start(logs_, *context, *request);
  }
  grpc::ServerUnaryReactor* ListEvents(grpc::CallbackServerContext* context,
                                       const events::v1::ListEventsRequest* request,
                                       events::v1::ListEventsResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &MergedEventHandlers::ListEvents);
  }

 private:
  const std::shared_ptr<MergedLogs> logs_;
  MergedEventHandlers handlers_;
  base::Executor& executor_;
};

}  // namespace slipway::gateway
