#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log_service.h"
#include "lib/metrics/metrics.h"
#include "lib/serving/endpoints.h"
#include "services/ledger/rpc/ledger_handlers.h"
#include "services/ledger/rpc/ledger_service.h"
#include "services/ledger/storage/sqlite_ledger_store.h"
#include "slipway/config/v1/ledger.pb.h"

namespace slipway::ledger {

// The whole service. Serves from Start until destruction.
class Server final {
 public:
  struct Collaborators {
    base::Clock& clock;
    base::IdGenerator& ids;
  };

  // Opens the database, imports the price files and listens. Fails with CONFIG_INVALID, as
  // SqliteLedgerStore does, or as rpc::Server does.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const config::v1::LedgerConfig& config,
                                                       const Collaborators& collaborators);

  ~Server();

  // What clients dial.
  const std::string& address() const { return endpoints_->address(); }

 private:
  Server() = default;

  std::unique_ptr<SqliteLedgerStore> store_;
  metrics::Gauge::Observation held_;
  metrics::Gauge::Observation reserved_;
  std::unique_ptr<LedgerHandlers> handlers_;
  std::unique_ptr<base::ThreadPool> executor_;
  std::unique_ptr<base::ThreadPool> audits_;
  std::unique_ptr<LedgerService> service_;
  std::unique_ptr<events::EventLogService> events_;
  std::unique_ptr<serving::Endpoints> endpoints_;
};

}  // namespace slipway::ledger
