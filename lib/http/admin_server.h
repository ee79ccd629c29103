#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/http/server.h"

namespace slipway::http {

// What operators ask a process: /metrics, /healthz (it runs) and /readyz (it can serve). Not for
// the public: bind it to loopback or a private network.
class AdminServer final {
 public:
  struct Options {
    std::string address;
    // Called on an io thread; must be quick.
    std::function<std::string()> metrics;  // In the Prometheus text format.
    std::function<absl::Status()> ready;   // An error's message is shown with 503.
  };

  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(Options options);

  int port() const { return server_->port(); }

 private:
  explicit AdminServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}

  const std::unique_ptr<Server> server_;
};

}  // namespace slipway::http
