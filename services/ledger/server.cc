#include "services/ledger/server.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/rpc/proto_time.h"

namespace slipway::ledger {
namespace {

metrics::Gauge held_reservations({.name = "slipway_ledger_held_reservations",
                                  .description = "Reservations that are held."});

metrics::Gauge reserved_nanos({.name = "slipway_ledger_reserved_usd_nanos",
                               .description = "What open holds keep, in nano-USD."});

constexpr int kReadThreads = 2;  // Reads are short; writes have their own thread.

absl::Status ConfigInvalid(const char* problem) {
  return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID", problem);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::v1::LedgerConfig& config,
                                                      const Collaborators& collaborators) {
  if (config.database().empty()) return ConfigInvalid("database: a path is required");
  if (config.listen().address().empty()) {
    return ConfigInvalid("listen.address: an address is required");
  }
  std::unique_ptr<Server> server(new Server());
  ASSIGN_OR_RETURN(server->store_,
                   SqliteLedgerStore::Open({.path = config.database(),
                                            .ledger = {.require_budget = config.require_budget()},
                                            .expiry_interval = rpc::DurationOr(
                                                config.expiry_interval(), absl::Seconds(1))},
                                           collaborators.clock, collaborators.ids));
  SqliteLedgerStore& store = *server->store_;
  for (const std::string& path : config.price_files()) {
    ASSIGN_OR_RETURN(const int added, store.ImportPriceFile(path));
    log::Info("price file imported", {{"path", path}, {"added", added}});
  }
  server->held_ = held_reservations.Observe([&store] { return static_cast<double>(store.held()); });
  server->reserved_ =
      reserved_nanos.Observe([&store] { return static_cast<double>(store.ReservedUsdNanos()); });
  server->handlers_ = std::make_unique<LedgerHandlers>(store);
  server->executor_ =
      std::make_unique<base::ThreadPool>(base::ThreadPool::Options{.threads = kReadThreads});
  // One audits; the other tells further callers so.
  server->audits_ = std::make_unique<base::ThreadPool>(base::ThreadPool::Options{.threads = 2});
  server->service_ =
      std::make_unique<LedgerService>(*server->executor_, *server->audits_, *server->handlers_);
  server->events_ = std::make_unique<events::EventLogService>(store.events(), *server->executor_,
                                                              collaborators.clock);
  ASSIGN_OR_RETURN(
      server->endpoints_,
      serving::Endpoints::Start({.listen = config.listen(),
                                 .services = {server->service_.get(), server->events_.get()}}));
  log::Info("serving", {{"address", server->address()}});
  return server;
}

Server::~Server() {
  if (events_ != nullptr) events_->EndStreams();
  if (endpoints_ != nullptr) endpoints_->Shutdown();
  if (executor_ != nullptr) executor_->Stop();
  if (audits_ != nullptr) audits_->Stop();
  log::Info("stopped");
}

}  // namespace slipway::ledger
