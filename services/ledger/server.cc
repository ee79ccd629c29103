#include "services/ledger/server.h"

#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log_service.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/proto_time.h"
#include "lib/serving/endpoints.h"
#include "services/ledger/rpc/ledger_handlers.h"
#include "services/ledger/rpc/ledger_service.h"
#include "services/ledger/storage/sqlite_ledger_store.h"

namespace slipway::ledger {
namespace {

metrics::Gauge held_reservations({.name = "slipway_ledger_held_reservations",
                                  .description = "Reservations that are held."});

metrics::Gauge reserved_nanos({.name = "slipway_ledger_reserved_usd_nanos",
                               .description = "What open holds keep, in nano-USD."});

metrics::Gauge unapplied_decisions(
    {.name = "slipway_ledger_unapplied_decisions",
     .description = "Decisions in the log that are not in the tables yet."});

constexpr int kReadThreads = 2;  // Reads are short; writes have their own thread.
// One audits; the other tells further callers so.
constexpr int kAuditThreads = 2;

absl::Status ConfigInvalid(const char* problem) {
  return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID", problem);
}

absl::Status ImportPrices(const config::v1::LedgerConfig& config, SqliteLedgerStore& store) {
  for (const std::string& path : config.price_files()) {
    ASSIGN_OR_RETURN(const int added, store.ImportPriceFile(path));
    log::Info("price file imported", {{"path", path}, {"added", added}});
  }
  return absl::OkStatus();
}

}  // namespace

// In the order of what needs what; destroyed in reverse.
class Server::Parts final {
 public:
  Parts(std::unique_ptr<SqliteLedgerStore> store, base::Clock& clock)
      : store_(std::move(store)),
        held_(held_reservations.Observe([this] { return static_cast<double>(store_->held()); })),
        reserved_(reserved_nanos.Observe(
            [this] { return static_cast<double>(store_->ReservedUsdNanos()); })),
        unapplied_(unapplied_decisions.Observe(
            [this] { return static_cast<double>(store_->unapplied()); })),
        handlers_(*store_),
        stream_handlers_(*store_, Detail::kOutcome),
        service_(BindLedgerService(handlers_, streams_, executor_, audits_)),
        events_(store_->events(), executor_, clock) {}

  ~Parts() {
    events_.EndStreams();
    streams_.EndAll();
    if (endpoints_ != nullptr) endpoints_->Shutdown();
    executor_.Stop();
    audits_.Stop();
    log::Info("stopped");
  }

  absl::Status Serve(const config::v1::LedgerConfig& config) {
    ASSIGN_OR_RETURN(endpoints_,
                     serving::Endpoints::Start(
                         {.listen = config.listen(), .services = {service_.get(), &events_}}));
    log::Info("serving", {{"address", address()}});
    return absl::OkStatus();
  }

  const std::string& address() const { return endpoints_->address(); }

 private:
  const std::unique_ptr<SqliteLedgerStore> store_;
  const metrics::Gauge::Observation held_;
  const metrics::Gauge::Observation reserved_;
  const metrics::Gauge::Observation unapplied_;
  LedgerHandlers handlers_;
  LedgerHandlers stream_handlers_;
  TransactStreams streams_{stream_handlers_};
  base::ThreadPool executor_{{.threads = kReadThreads}};
  base::ThreadPool audits_{{.threads = kAuditThreads}};
  const std::unique_ptr<grpc::Service> service_;
  events::EventLogService events_;
  std::unique_ptr<serving::Endpoints> endpoints_;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

const std::string& Server::address() const { return parts_->address(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::v1::LedgerConfig& config,
                                                      const Environment& environment) {
  if (config.database().empty()) return ConfigInvalid("database: a path is required");
  if (config.listen().address().empty()) {
    return ConfigInvalid("listen.address: an address is required");
  }
  const absl::Duration expiry = rpc::DurationOr(config.expiry_interval(), absl::Seconds(1));
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteLedgerStore> store,
                   SqliteLedgerStore::Open({.path = config.database(),
                                            .ledger = {.require_budget = config.require_budget()},
                                            .expiry_interval = expiry},
                                           environment.clock, environment.ids));
  RETURN_IF_ERROR(ImportPrices(config, *store));
  auto parts = std::make_unique<Parts>(std::move(store), environment.clock);
  RETURN_IF_ERROR(parts->Serve(config));
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

}  // namespace slipway::ledger
