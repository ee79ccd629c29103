#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/http/admin_server.h"
#include "lib/rpc/server.h"
#include "slipway/config/v1/listen.pb.h"

namespace slipway::serving {

// How long calls under way may take when asked to stop.
absl::Duration DrainTimeout(const config::v1::Listen& listen);

// The admin HTTP server of a service, which says that it is ready: storage is open by the time that
// it is called. Null when `listen` names no admin address. Fails as http::AdminServer::Start.
absl::StatusOr<std::unique_ptr<http::AdminServer>> StartAdmin(const config::v1::Listen& listen);

// What a service listens on: gRPC, and beside it /metrics and health over HTTP. Thread-safe.
class Endpoints final {
 public:
  struct Options {
    const config::v1::Listen& listen;
    std::vector<grpc::Service*> services;  // Must outlive the endpoints.
    int max_message_bytes = rpc::kMessageBytesMax;
  };

  // Fails as rpc::Server::Start and http::AdminServer::Start.
  static absl::StatusOr<std::unique_ptr<Endpoints>> Start(const Options& options);

  // What gRPC clients dial.
  const std::string& address() const { return grpc_->address(); }
  // The TCP port of the admin HTTP server; 0 when there is none.
  int admin_port() const { return admin_ == nullptr ? 0 : admin_->port(); }

  // Ends gRPC as rpc::Server::Shutdown does; the admin server goes on until destruction, so that
  // the end can be watched.
  void Shutdown() { grpc_->Shutdown(); }

 private:
  Endpoints(std::unique_ptr<rpc::Server> grpc, std::unique_ptr<http::AdminServer> admin)
      : grpc_(std::move(grpc)), admin_(std::move(admin)) {}

  const std::unique_ptr<rpc::Server> grpc_;
  const std::unique_ptr<http::AdminServer> admin_;
};

}  // namespace slipway::serving
