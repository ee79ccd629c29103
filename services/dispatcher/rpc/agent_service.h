#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "services/dispatcher/rpc/session_reactor.h"
#include "services/dispatcher/rpc/snapshot_relay.h"

namespace slipway::dispatcher {

// What agents can call, on a listener of its own. What the hosts refer to must outlive the service,
// and the service the server that it is registered with.
std::unique_ptr<grpc::Service> BindAgentService(SessionReactor::Host session_host,
                                                SnapshotRelay::Host snapshot_host);

}  // namespace slipway::dispatcher
