#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "grpc/health/v1/health.grpc.pb.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::models {

// Asks a server for its health more often than once a second, for as long as it lives.
//
// gRPC's threads that poll for callbacks sleep for 100 ms each time when nothing has come for a
// second, on both sides of a connection; what comes then waits for them. With this no first call
// after a pause does. What the server answers does not matter.
//
// Its end waits for what it has asked: were a thread of gRPC the last to let go of the channel, it
// would wait for itself.
class PollKeeper final {
 public:
  explicit PollKeeper(const std::shared_ptr<grpc::Channel>& channel);
  ~PollKeeper();
  PollKeeper(const PollKeeper&) = delete;
  PollKeeper& operator=(const PollKeeper&) = delete;

 private:
  // How often it has asked and gRPC is not done.
  struct UnderWay {
    base::Mutex mutex;
    base::CondVar changed;
    int count ABSL_GUARDED_BY(mutex) = 0;
  };

  void Ask();

  const std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
  const std::shared_ptr<UnderWay> under_way_ = std::make_shared<UnderWay>();
  base::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<base::Timer> timer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
