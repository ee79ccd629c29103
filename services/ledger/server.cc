#include "services/ledger/server.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"

namespace slipway::ledger {
namespace {

metrics::Gauge held_reservations({.name = "slipway_ledger_held_reservations",
                                  .description = "Reservations that are held."});

metrics::Gauge reserved_nanos({.name = "slipway_ledger_reserved_usd_nanos",
                               .description = "What open holds keep, in nano-USD."});

constexpr int kReadThreads = 2;  // Reads are short; writes have their own thread.
constexpr absl::Duration kDrainDefault = absl::Seconds(5);

absl::Duration DurationOr(const google::protobuf::Duration& duration, absl::Duration otherwise) {
  const absl::Duration given =
      absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  return given > absl::ZeroDuration() ? given : otherwise;
}

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
                   SqliteLedgerStore::Open(
                       {.path = config.database(),
                        .ledger = {.require_budget = config.require_budget()},
                        .expiry_interval = DurationOr(config.expiry_interval(), absl::Seconds(1))},
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
  server->audits_ = std::make_unique<base::ThreadPool>(base::ThreadPool::Options{.threads = 1});
  server->service_ =
      std::make_unique<LedgerService>(*server->executor_, *server->audits_, *server->handlers_);
  server->events_ = std::make_unique<events::EventLogService>(store.events(), *server->executor_,
                                                              collaborators.clock);
  ASSIGN_OR_RETURN(server->grpc_server_,
                   rpc::Server::Start({.address = config.listen().address(),
                                       .services = {server->service_.get(), server->events_.get()},
                                       .drain_timeout = DurationOr(config.listen().drain_timeout(),
                                                                   kDrainDefault)}));
  if (!config.listen().admin_address().empty()) {
    ASSIGN_OR_RETURN(server->admin_,
                     http::AdminServer::Start({.address = config.listen().admin_address(),
                                               .metrics = [] { return metrics::Render(); },
                                               .ready = [] { return absl::OkStatus(); }}));
  }
  log::Info("serving", {{"address", server->address()}});
  return server;
}

Server::~Server() {
  admin_.reset();
  if (events_ != nullptr) events_->EndStreams();
  if (grpc_server_ != nullptr) grpc_server_->Shutdown();
  if (executor_ != nullptr) executor_->Stop();
  if (audits_ != nullptr) audits_->Stop();
  log::Info("stopped");
}

}  // namespace slipway::ledger
