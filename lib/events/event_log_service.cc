#include "lib/events/event_log_service.h"

#include "lib/rpc/serve.h"

namespace slipway::events {

EventLogService::EventLogService(EventLog& log, base::Executor& executor, base::Clock& clock)
    : handlers_(log), host_(std::make_shared<WatchReactor::Host>(log, executor, clock)) {}

EventLogService::~EventLogService() = default;

grpc::ServerWriteReactor<v1::WatchResponse>* EventLogService::Watch(
    grpc::CallbackServerContext* context, const v1::WatchRequest* request) {
  return WatchReactor::Start(host_, *context, *request);
}

grpc::ServerUnaryReactor* EventLogService::ListEvents(grpc::CallbackServerContext* context,
                                                      const v1::ListEventsRequest* request,
                                                      v1::ListEventsResponse* response) {
  return rpc::ServeUnary(host_->executor, context, request, response, &handlers_,
                         &EventLogHandlers::ListEvents);
}

void EventLogService::EndStreams() {
  host_->stopping = true;
  host_->log.NotifyAppended();
}

}  // namespace slipway::events
