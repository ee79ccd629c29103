#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "services/dispatcher/domain/retry_policy.h"
#include "slipway/config/v1/dispatcher.pb.h"

namespace slipway::dispatcher {

// The dispatcher, running: builds everything it is made of and owns it. Serves from Start until
// Stop.
class Server final {
 public:
  struct Environment {
    base::Clock& clock;
    base::IdGenerator& ids;
    Randomness random;  // Spreads retries; empty: a generator of its own.
  };

  // Opens the database, takes up what was under way, and serves. Fails with CONFIG_INVALID, a
  // reason of the database (LOCKED: another dispatcher has it) or of an address (ADDRESS_IN_USE).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const config::v1::DispatcherConfig& config,
                                                       const Environment& environment);
  ~Server();

  // What gRPC clients dial, and what agents do.
  const std::string& address() const;
  const std::string& agent_address() const;
  // Of agent_listen and scaler_listen; empty when they are not configured.
  std::string far_agent_address() const;
  std::string scaler_address() const;
  // The TCP port of the admin HTTP server; 0 when there is none.
  int admin_port() const;

  // Ends RPCs and agents' processes, stores what was decided. Idempotent.
  void Stop();

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::dispatcher
