#include "services/models/server.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log_service.h"
#include "lib/http/server.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/serving/endpoints.h"
#include "services/models/domain/attempt_keys.h"
#include "services/models/domain/caller.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/health_watch.h"
#include "services/models/domain/limits.h"
#include "services/models/domain/recovery.h"
#include "services/models/domain/upkeep.h"
#include "services/models/proxy/model_proxy.h"
#include "services/models/rpc/grpc_ledger.h"
#include "services/models/rpc/models_handlers.h"
#include "services/models/rpc/models_service.h"
#include "services/models/settings.h"
#include "services/models/storage/sqlite_store.h"

namespace slipway::models {
namespace {

constexpr int kHandlerThreads = 4;  // Short work on the database.
constexpr int kEventThreads = 2;

// What waits for a slow agent; a call that finds it full waits, too.
constexpr size_t kResponseBufferBytes = 256u << 10;

metrics::Gauge calls_running({.name = "slipway_models_calls_running",
                              .description = "Calls under way."});
metrics::Gauge gates_closed({.name = "slipway_models_gates_closed",
                             .description = "Gates of providers and models that are closed."});

absl::Status CheckConfig(const config::v1::ModelsConfig& config) {
  if (config.listen().address().empty()) return ConfigInvalid("listen.address is missing");
  if (config.database().empty()) return ConfigInvalid("database is missing");
  if (config.ledger_address().empty()) return ConfigInvalid("ledger_address is missing");
  if (config.proxy_address().empty()) return ConfigInvalid("proxy_address is missing");
  return absl::OkStatus();
}

// What is made before the parts that refer to it.
struct Foundation {
  std::unique_ptr<SqliteStore> store;
  std::unique_ptr<GateKeeper> gates;
  Providers providers;
  RouteTable routes;
  std::string owner;
};

}  // namespace

class Server::Parts final {
 public:
  Parts(Foundation foundation, const config::v1::ModelsConfig& config,
        const Environment& environment)
      : environment_(environment),
        foundation_(std::move(foundation)),
        ledger_(config.ledger_address(), environment.clock),
        settler_(*foundation_.store, ledger_, environment.clock),
        caller_({*foundation_.store, ledger_, *foundation_.gates, settler_, environment.clock,
                 foundation_.owner},
                foundation_.routes, foundation_.providers, running_),
        keys_(*foundation_.store, foundation_.routes, running_, environment.clock, environment.ids),
        event_service_(foundation_.store->event_log(), event_pool_, environment.clock) {}

  ~Parts() { Stop(); }

  absl::Status Serve(const config::v1::ModelsConfig& config) {
    calls_observation_ =
        calls_running.Observe([this] { return static_cast<double>(running_.size()); });
    gates_observation_ = gates_closed.Observe(
        [this] { return static_cast<double>(foundation_.gates->All().size()); });
    drain_timeout_ = serving::DrainTimeout(config.listen());
    RETURN_IF_ERROR(ServeProxy(config));
    health_ = std::make_unique<HealthWatch>(foundation_.providers, *foundation_.gates,
                                            environment_.clock);
    handlers_ = std::make_unique<ModelsHandlers>(ModelsHandlers::Collaborators{
        caller_, keys_, *foundation_.gates, *foundation_.store, foundation_.routes,
        foundation_.providers, *health_, environment_.clock, proxy_address_});
    service_ = BindModelsService(*handlers_, calls_, handler_pool_);
    ASSIGN_OR_RETURN(endpoints_,
                     serving::Endpoints::Start({.listen = config.listen(),
                                                .services = {service_.get(), &event_service_}}));
    upkeep_ = std::make_unique<Upkeep>(Upkeep::Collaborators{
        *foundation_.store, settler_, *foundation_.gates, environment_.clock, foundation_.owner});
    return absl::OkStatus();
  }

  void Stop() {
    event_service_.EndStreams();
    const std::unique_ptr<base::Timer> deadline = environment_.clock.RunAfter(
        drain_timeout_, [this] { running_.CancelAll("SERVICE_STOPS"); });
    if (proxy_server_ != nullptr) proxy_server_->Stop();
    if (endpoints_ != nullptr) endpoints_->Shutdown();
    running_.CancelAll("SERVICE_STOPS");
    calls_.Stop();
    handler_pool_.Stop();
    event_pool_.Stop();
    upkeep_.reset();
    health_.reset();
  }

  const std::string& address() const { return endpoints_->address(); }
  const std::string& proxy_address() const { return proxy_address_; }
  int admin_port() const { return endpoints_->admin_port(); }

 private:
  absl::Status ServeProxy(const config::v1::ModelsConfig& config) {
    http::Server::Options options = {
        .address = config.proxy_address(),
        .threads = 2,
        .limits = {.response_buffer_bytes = kResponseBufferBytes, .connections = 2 * kCallsMax},
        .drain_timeout = drain_timeout_};
    ASSIGN_OR_RETURN(proxy_server_, http::Server::Start(std::move(options), proxy_.MakeRouter()));
    proxy_address_ = config.proxy_address();
    if (absl::StartsWith(proxy_address_, "unix:")) return absl::OkStatus();
    proxy_address_ = absl::StrCat("http://", proxy_address_.substr(0, proxy_address_.rfind(':')),
                                  ":", proxy_server_->port());
    return absl::OkStatus();
  }

  const Environment environment_;
  Foundation foundation_;
  GrpcLedger ledger_;
  Settler settler_;
  RunningCalls running_;
  Caller caller_;
  AttemptKeys keys_;
  base::ThreadPool calls_{{.threads = kCallsMax, .queue_max = kCallsMax}};
  base::ThreadPool handler_pool_{{.threads = kHandlerThreads}};
  base::ThreadPool event_pool_{{.threads = kEventThreads}};
  ModelProxy proxy_{{caller_, keys_, calls_, environment_.clock, environment_.ids}};
  std::string proxy_address_;
  absl::Duration drain_timeout_;
  std::unique_ptr<HealthWatch> health_;
  std::unique_ptr<ModelsHandlers> handlers_;
  std::unique_ptr<grpc::Service> service_;
  events::EventLogService event_service_;
  metrics::Gauge::Observation calls_observation_;
  metrics::Gauge::Observation gates_observation_;
  std::unique_ptr<http::Server> proxy_server_;
  std::unique_ptr<serving::Endpoints> endpoints_;
  std::unique_ptr<Upkeep> upkeep_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::v1::ModelsConfig& config,
                                                      const Environment& environment) {
  RETURN_IF_ERROR(CheckConfig(config));
  ASSIGN_OR_RETURN(RouteTable routes, MakeRoutes(config));
  ASSIGN_OR_RETURN(Providers providers, MakeProviders(config, environment.clock));
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteStore> store,
                   SqliteStore::Open(config.database(), environment.clock, environment.ids));
  const std::string owner = environment.ids.NewId("models");
  RETURN_IF_ERROR(RecoverCalls(*store, providers, environment.clock, owner));
  RETURN_IF_ERROR(store->RegisterOwner(owner));
  ASSIGN_OR_RETURN(std::unique_ptr<GateKeeper> gates, GateKeeper::Load(*store, environment.clock));
  auto parts = std::make_unique<Parts>(Foundation{std::move(store), std::move(gates),
                                                  std::move(providers), std::move(routes), owner},
                                       config, environment);
  RETURN_IF_ERROR(parts->Serve(config));
  log::Info("models serves", {{"address", parts->address()},
                              {"proxy_address", parts->proxy_address()},
                              {"instance", owner}});
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

const std::string& Server::address() const { return parts_->address(); }
const std::string& Server::proxy_address() const { return parts_->proxy_address(); }
int Server::admin_port() const { return parts_->admin_port(); }
void Server::Stop() { parts_->Stop(); }

}  // namespace slipway::models
