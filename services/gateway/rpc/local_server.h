#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>

#include <memory>
#include <vector>

namespace slipway::gateway {

// A gRPC server without an address, reached by a channel within the process: so what the gateway
// answers itself passes the same door as what it forwards. Thread-safe.
class LocalServer final {
 public:
  // The services must outlive the server.
  explicit LocalServer(const std::vector<grpc::Service*>& services);
  ~LocalServer() { Shutdown(); }

  std::shared_ptr<grpc::Channel> MakeChannel();

  // Cancels what runs and waits for its end. Idempotent.
  void Shutdown();

 private:
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace slipway::gateway
