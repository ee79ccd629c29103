#pragma once

#include <grpcpp/server_context.h>

#include <memory>

#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/events/event_log.h"
#include "lib/events/event_log_handlers.h"
#include "lib/events/watch_reactor.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::events {

// Serves one log as slipway.events.v1.EventLogService.
//
// The collaborators must outlive the service, and the service the gRPC server that it is
// registered with. To stop: EndStreams, shut the server down, stop the executor, destroy.
class EventLogService final : public v1::EventLogService::CallbackService {
 public:
  // Reads of the log, which block on disk, run on `executor`.
  EventLogService(EventLog& log, base::Executor& executor, base::Clock& clock);
  ~EventLogService() override;

  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext* context,
                                                     const v1::WatchRequest* request) override;
  grpc::ServerUnaryReactor* ListEvents(grpc::CallbackServerContext* context,
                                       const v1::ListEventsRequest* request,
                                       v1::ListEventsResponse* response) override;

  // Ends all streams, now and later, with UNAVAILABLE (SHUTTING_DOWN), so that the server's
  // shutdown need not wait for its deadline.
  void EndStreams();

  // How many Watch streams there are.
  int streams() const { return host_->streams; }

 private:
  EventLogHandlers handlers_;
  const std::shared_ptr<WatchReactor::Host> host_;
};

}  // namespace slipway::events
