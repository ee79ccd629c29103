#include "services/gateway/rpc/merged_event_service.h"

#include <utility>

#include "lib/rpc/bind.h"
#include "services/gateway/rpc/merged_event_handlers.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::gateway {
namespace {

class MergedEventBinding final : public events::v1::EventLogService::CallbackService {
 public:
  MergedEventBinding(std::shared_ptr<MergedLogs> logs, base::Executor& executor)
      : logs_(logs), handlers_(std::move(logs)), executor_(executor) {}

  grpc::ServerWriteReactor<events::v1::WatchResponse>* Watch(
      grpc::CallbackServerContext* context, const events::v1::WatchRequest* request) override {
    return MergedWatch::Start(logs_, *context, *request);
  }
  SLIPWAY_UNARY(events::v1, ListEvents, executor_, handlers_)

 private:
  const std::shared_ptr<MergedLogs> logs_;
  MergedEventHandlers handlers_;
  base::Executor& executor_;
};

}  // namespace

std::unique_ptr<grpc::Service> BindMergedEventService(std::shared_ptr<MergedLogs> logs,
                                                      base::Executor& executor) {
  return std::make_unique<MergedEventBinding>(std::move(logs), executor);
}

}  // namespace slipway::gateway
