#include "services/models/rpc/poll_keeper.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
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
  {
    base::MutexLock lock(mutex_);
    ending_ = true;
    std::swap(stopped, timer_);
  }
  stopped.reset();  // Now it asks no more.
  base::MutexLock lock(under_way_->mutex);
  while (under_way_->count > 0) under_way_->changed.Wait(under_way_->mutex);
}

void PollKeeper::Ask() {
  {
    base::MutexLock lock(under_way_->mutex);
    ++under_way_->count;
  }
  // Goes with the callback, which gRPC's thread destroys after the call's own hold on the channel.
  auto ended = absl::MakeCleanup([under_way = under_way_] {
    base::MutexLock lock(under_way->mutex);
    --under_way->count;
    under_way->changed.NotifyAll();
  });
  rpc::CallUnaryAsync(
      *stub_->async(), &health_pb::Health::StubInterface::async_interface::Check,
      health_pb::HealthCheckRequest(), {.timeout = kPause},
      [ended = std::move(ended)](const absl::StatusOr<health_pb::HealthCheckResponse>&) {});
  std::unique_ptr<base::Timer> fired;
  base::MutexLock lock(mutex_);
  if (ending_) return;
  // Real time, whatever the clock of the service is: gRPC's threads go by it.
  fired = std::exchange(timer_, base::RealClock().RunAfter(kPause, [this] { Ask(); }));
}

}  // namespace slipway::models
