#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/rpc/reflection_index.h"
#include "lib/rpc/reflection_service.h"
#include "lib/rpc/tls_files.h"

namespace slipway::rpc {

// The largest message of either side by default. Snapshots and logs are streamed; the largest
// thing that travels whole is a patch.
inline constexpr int kMessageBytesMax = 16 << 20;

// A gRPC server with health (v1) and reflection (v1 and v1alpha) on one address. Serves from Start
// until Shutdown or destruction. Thread-safe.
class Server final {
 public:
  struct Options {
    // "unix:/absolute/path", mode 0600, or "host:port" with port 0 for any free one.
    std::string address;
    TlsFiles tls;  // Empty: without, for sockets that only those can reach who are trusted.
    std::vector<grpc::Service*> services;  // Must outlive the server.
    // Answers every method that no service has; must outlive the server. May be null.
    grpc::CallbackGenericService* generic_service = nullptr;
    // Services to list in reflection besides those above, for one that forwards calls. Their
    // descriptors must be linked in.
    std::vector<std::string> reflected_services;
    int max_message_bytes = kMessageBytesMax;
    // How long Shutdown lets RPCs finish before it cancels them. Endless streams always use it up.
    absl::Duration drain_timeout = absl::Seconds(5);
  };

  // Fails with ADDRESS_INVALID, ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, SOCKET_PATH_TOO_LONG,
  // SOCKET_PATH_TAKEN, TLS_FILES_INVALID or SERVICE_UNKNOWN. While it runs, files that other
  // threads make are private.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Options options);

  ~Server() { Shutdown(); }

  // The TCP port; 0 for a Unix socket.
  int port() const { return port_; }

  // What clients dial: the address of the options with the actual port.
  const std::string& address() const { return address_; }

  // What health checks answer, for the server as a whole and each of its services.
  void SetServing(bool serving);

  // Turns health to NOT_SERVING, refuses new RPCs, waits up to drain_timeout for those that run,
  // cancels the rest and returns when all have ended. Idempotent; not from an RPC.
  void Shutdown();

 private:
  explicit Server(ReflectionIndex index) : index_(std::move(index)) {}

  absl::Status Listen(const Options& options);

  ReflectionIndex index_;
  ReflectionService<ReflectionV1> reflection_v1_{index_};
  ReflectionService<ReflectionV1Alpha> reflection_v1alpha_{index_};
  absl::Duration drain_timeout_;
  std::string address_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace slipway::rpc
