#pragma once

#include <grpcpp/impl/service_type.h>

#include <atomic>
#include <memory>

#include "lib/base/clock.h"
#include "services/dispatcher/domain/dispatcher.h"

namespace slipway::dispatcher {

// What the scaler's calls share; must outlive them.
struct ScalerHost {
  Dispatcher& dispatcher;
  base::Clock& clock;
  std::atomic<bool> stopping = false;  // Ends streams at their next look, within a second.
};

// Serves KEDA's ExternalScaler. `host` must outlive the service, and the service its server.
std::unique_ptr<grpc::Service> BindExternalScaler(ScalerHost& host);

}  // namespace slipway::dispatcher
