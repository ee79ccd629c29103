#include "services/gateway/rpc/log_follower.h"

#include "absl/time/time.h"
#include "lib/rpc/client_call.h"

namespace slipway::gateway {

std::shared_ptr<LogFollower> LogFollower::Make(const events::v1::WatchRequest& request,
                                               Callbacks callbacks) {
  return std::shared_ptr<LogFollower>(new LogFollower(request, std::move(callbacks)));
}

void LogFollower::Begin(events::v1::EventLogService::Stub& stub, const rpc::Call& caller) {
  self_ = shared_from_this();
  // The gatekeeper made these values, so they are valid.
  rpc::PrepareContext({.timeout = absl::InfiniteDuration(),
                       .principal = caller.principal(),
                       .role = caller.role(),
                       .request_id = caller.request_id()},
                      context_)
      .IgnoreError();
  stub.async()->Watch(&context_, &request_, this);
  // Reads start from outside of reactions too.
  AddHold();
  StartRead(&response_);
  StartCall();
}

void LogFollower::Cancel() {
  context_.TryCancel();
  Read();  // Which tells that the stream has ended.
}

void LogFollower::Read() {
  {
    base::MutexLock lock(mutex_);
    if (reading_) return;
    reading_ = true;
  }
  StartRead(&response_);
}

// A stream that has ended counts as reading for good: nobody starts another read.
void LogFollower::OnReadDone(bool ok) {
  if (!ok) return RemoveHold();
  const std::shared_ptr<LogFollower> self = shared_from_this();
  events::v1::WatchResponse response = std::move(response_);
  response_.Clear();
  {
    base::MutexLock lock(mutex_);
    reading_ = false;
  }
  callbacks_.on_response(std::move(response));
}

void LogFollower::OnDone(const grpc::Status& status) {
  const std::shared_ptr<LogFollower> self = std::move(self_);
  callbacks_.on_end(status);
}

}  // namespace slipway::gateway
