#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "slipway/config/v1/models.pb.h"

namespace slipway::models {

// The models service, running: builds everything it is made of and owns it. Serves from Start until
// Stop.
class Server final {
 public:
  struct Environment {
    base::Clock& clock;
    base::IdGenerator& ids;
  };

  // Opens the database, ends the calls that an earlier instance left running, and serves. Does not
  // wait for the ledger. Fails with CONFIG_INVALID, a reason of the database (SCHEMA_NEWER, LOCKED,
  // ...) or of an address (ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, ...).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const config::v1::ModelsConfig& config,
                                                       const Environment& environment);
  ~Server();

  // What gRPC clients dial.
  const std::string& address() const;
  // What agents' supervisors dial: "unix:/path" or "http://host:port".
  const std::string& proxy_address() const;
  // The TCP port of the admin HTTP server; 0 when there is none.
  int admin_port() const;

  // Lets calls under way finish for the drain timeout, then cancels and settles them. Idempotent.
  void Stop();

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::models
