#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "slipway/config/v1/ledger.pb.h"

namespace slipway::ledger {

// The ledger, running: builds everything it is made of and owns it. Serves from Start until
// destruction, which ends streams and lets RPCs finish.
class Server final {
 public:
  struct Environment {
    base::Clock& clock;
    base::IdGenerator& ids;
  };

  // Opens the database, imports the price files and listens. Fails with CONFIG_INVALID, as
  // SqliteLedgerStore does, or as rpc::Server does.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const config::v1::LedgerConfig& config,
                                                       const Environment& environment);
  ~Server();

  // What clients dial.
  const std::string& address() const;

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::ledger
