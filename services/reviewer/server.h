#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "slipway/config/v1/reviewer.pb.h"

namespace slipway::reviewer {

// The reviewer, running: builds everything it is made of and owns it. Serves from Start until Stop.
class Server final {
 public:
  struct Environment {
    base::Clock& clock;
    base::IdGenerator& ids;
  };

  // Opens the database and the mirrors, finishes the landings that a crash cut off, and serves.
  // Fails with CONFIG_INVALID, a reason of the database (SCHEMA_NEWER, LOCKED, ...) or of the
  // address (ADDRESS_IN_USE, ...).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const config::v1::ReviewerConfig& config,
                                                       const Environment& environment);
  ~Server();

  // What gRPC clients dial.
  const std::string& address() const;
  // The TCP port of the admin HTTP server; 0 when there is none.
  int admin_port() const;

  // Ends streams and lets RPCs finish. Idempotent.
  void Stop();

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::reviewer
