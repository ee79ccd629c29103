#include "services/models/rpc/poll_keeper.h"

#include <utility>

#include "lib/rpc/client_call.h"

namespace slipway::models {
namespace {

namespace health_pb = ::grpc::health::v1;

// Each thread that has had something waits a second for the next: one of two always does.
constexpr absl::Duration kPause = absl::Milliseconds(400);

}  // namespace

PollKeeper::PollKeeper(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(health_pb::Health::NewStub(channel)) {
  Ask();
}

PollKeeper::~PollKeeper() {
  std::unique_ptr<base::Timer> stopped;
  base::MutexLock lock(mutex_);
  ending_ = true;
  std::swap(stopped, timer_);
}

void PollKeeper::Ask() {
  rpc::CallUnaryAsync(*stub_->async(), &health_pb::Health::StubInterface::async_interface::Check,
                      health_pb::HealthCheckRequest(), {.timeout = kPause},
                      [](const absl::StatusOr<health_pb::HealthCheckResponse>&) {});
  std::unique_ptr<base::Timer> fired;
  base::MutexLock lock(mutex_);
  if (ending_) return;
  // Real time, whatever the clock of the service is: gRPC's threads go by it.
  fired = std::exchange(timer_, base::RealClock().RunAfter(kPause, [this] { Ask(); }));
}

}  // namespace slipway::models
