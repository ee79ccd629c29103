#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "slipway/config/v1/gateway.pb.h"

namespace slipway::gateway {

// The gateway, running: builds everything it is made of and owns it. Serves from Start until Stop.
class Server final {
 public:
  struct Environment {
    base::Clock& clock;
    base::IdGenerator& ids;
    std::string version;  // Of the suite.
  };

  // Opens the database, imports and writes token files, and serves. Fails with CONFIG_INVALID, a
  // reason of the database (SCHEMA_NEWER, LOCKED, ...) or of an address (ADDRESS_IN_USE, ...).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const config::v1::GatewayConfig& config,
                                                       const Environment& environment);
  ~Server();

  // What gRPC clients dial: of listen.address, then of extra_addresses.
  std::vector<std::string> addresses() const;
  // The TCP ports of the HTTP servers; 0 when there is none.
  int http_port() const;
  int admin_port() const;

  // Ends streams and lets calls finish. Idempotent.
  void Stop();

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::gateway
