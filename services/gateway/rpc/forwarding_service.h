#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include "services/gateway/rpc/gatekeeper.h"

namespace slipway::gateway {

// Answers every method by passing it on to the service that owns it, when the gatekeeper lets it
// through. Bytes are not looked at. Register each object with one server, which it must outlive;
// so must the gatekeeper.
class ForwardingService final : public grpc::CallbackGenericService {
 public:
  explicit ForwardingService(Gatekeeper& gatekeeper) : gatekeeper_(gatekeeper) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  Gatekeeper& gatekeeper_;
};

}  // namespace slipway::gateway
