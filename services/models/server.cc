#include "services/models/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log_service.h"
#include "lib/http/server.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/serving/endpoints.h"
#include "services/models/cassette/recorder.h"
#include "services/models/cassette/recording_provider.h"
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
#include "services/models/storage/sqlite_cassette_store.h"
#include "services/models/storage/sqlite_store.h"

namespace slipway::models {
namespace {

constexpr int kHandlerThreads = 4;  // Short work on the database.
constexpr int kEventThreads = 2;

metrics::Gauge calls_running({.name = "slipway_models_calls_running",
                              .description = "Calls under way."});
metrics::Gauge calls_max({.name = "slipway_models_calls_max",
                          .description = "Calls that may be under way; further ones are refused."});
metrics::Counter calls_pruned({.name = "slipway_models_calls_pruned_total",
                               .description = "Records of calls that were dropped for their age, "
                                              "or because there were too many."});
metrics::Gauge gates_closed({.name = "slipway_models_gates_closed",
                             .description = "Gates of providers and models that are closed."});

absl::Status CheckConfig(const config::v1::ModelsConfig& config) {
  if (config.listen().address().empty()) return ConfigInvalid("listen.address is missing");
  if (config.database().empty()) return ConfigInvalid("database is missing");
  if (config.ledger_address().empty()) return ConfigInvalid("ledger_address is missing");
  if (config.proxy_address().empty()) return ConfigInvalid("proxy_address is missing");
  if (config.calls_max() < 0 || config.calls_max() > kCallsMaxMax) {
    return ConfigInvalid(
        absl::StrCat("calls_max must be 1 to ", kCallsMaxMax, ", or 0 for ", kCallsMaxDefault));
  }
  return absl::OkStatus();
}

int CallsMax(const config::v1::ModelsConfig& config) {
  return config.calls_max() == 0 ? kCallsMaxDefault : config.calls_max();
}

// Each call is a connection of an agent and one to a provider; beside them there are files, and
// connections that wait for their next call.
void AllowDescriptors(int calls) {
  const rlim_t wanted = static_cast<rlim_t>(calls) * 4 + 512;
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return;
  log::Warning(
      "fewer files may be open than calls_max needs: raise the limit of open files",
      {{"limit", static_cast<int64_t>(limit.rlim_cur)}, {"needed", static_cast<int64_t>(wanted)}});
}

// Names the machine's present boot; empty where it cannot be told.
std::string BootName() { return base::ReadFile("/proc/sys/kernel/random/boot_id").value_or(""); }

// What is made before the parts that refer to it.
struct Foundation {
  std::unique_ptr<SqliteStore> store;
  std::unique_ptr<GateKeeper> gates;
  std::unique_ptr<SqliteCassetteStore> cassettes;
  std::unique_ptr<Recorder> recorder;
  Providers providers;  // Each with the recorder before it.
  RouteTable routes;
  Keeping keeping;
  std::string owner;
  std::unique_ptr<Calibration> calibration;
};

Providers Recorded(Providers providers, Recorder& recorder, base::Clock& clock) {
  Providers recorded;
  for (auto& [name, provider] : providers) {
    recorded[name] = std::make_unique<RecordingProvider>(std::move(provider), recorder, clock);
  }
  return recorded;
}

}  // namespace

class Server::Parts final {
 public:
  Parts(Foundation foundation, const config::v1::ModelsConfig& config,
        const Environment& environment)
      : environment_(environment),
        foundation_(std::move(foundation)),
        ledger_(config.ledger_address(), environment.clock),
        settler_(*foundation_.store, ledger_, environment.clock),
        running_(CallsMax(config)),
        caller_(
            {*foundation_.store, ledger_, *foundation_.gates, settler_, unsettled_,
             *foundation_.calibration, environment.clock, beginnings_, endings_, foundation_.owner},
            foundation_.routes, foundation_.providers, running_),
        keys_(*foundation_.store, foundation_.routes, running_, environment.clock, environment.ids,
              config.fixed_roles()),
        event_service_(foundation_.store->event_log(), event_pool_, environment.clock) {}

  ~Parts() { Stop(); }

  absl::Status Serve(const config::v1::ModelsConfig& config) {
    calls_observation_ =
        calls_running.Observe([this] { return static_cast<double>(running_.size()); });
    calls_max_observation_ =
        calls_max.Observe([this] { return static_cast<double>(running_.places_max()); });
    gates_observation_ = gates_closed.Observe(
        [this] { return static_cast<double>(foundation_.gates->All().size()); });
    drain_timeout_ = serving::DrainTimeout(config.listen());
    RETURN_IF_ERROR(ServeProxy(config));
    health_ =
        std::make_unique<HealthWatch>(foundation_.providers, *foundation_.gates, environment_.clock,
                                      foundation_.keeping.health_interval);
    handlers_ = std::make_unique<ModelsHandlers>(ModelsHandlers::Collaborators{
        caller_,
        keys_,
        *foundation_.gates,
        *foundation_.store,
        foundation_.routes,
        foundation_.providers,
        *health_,
        *foundation_.calibration,
        *foundation_.recorder,
        *foundation_.cassettes,
        {config.recording().projects().begin(), config.recording().projects().end()},
        environment_.clock,
        proxy_address_});
    service_ = BindModelsService(*handlers_, beginnings_, handler_pool_);
    ASSIGN_OR_RETURN(endpoints_,
                     serving::Endpoints::Start({.listen = config.listen(),
                                                .services = {service_.get(), &event_service_}}));
    upkeep_ = std::make_unique<Upkeep>(Upkeep::Collaborators{settler_, *foundation_.gates,
                                                             environment_.clock, foundation_.owner,
                                                             [this] { return Prune(); }});
    return absl::OkStatus();
  }

  void Stop() {
    event_service_.EndStreams();
    const std::unique_ptr<base::Timer> deadline = environment_.clock.RunAfter(
        drain_timeout_, [this] { running_.CancelAll("SERVICE_STOPS"); });
    if (proxy_server_ != nullptr) proxy_server_->Stop();
    if (endpoints_ != nullptr) endpoints_->Shutdown();
    running_.CancelAll("SERVICE_STOPS");
    running_.AwaitNone();
    beginnings_.Stop();
    endings_.Stop();
    handler_pool_.Stop();
    event_pool_.Stop();
    upkeep_.reset();
    health_.reset();
  }

  const std::string& address() const { return endpoints_->address(); }
  const std::string& proxy_address() const { return proxy_address_; }
  int admin_port() const { return endpoints_->admin_port(); }

 private:
  absl::Status Prune() {
    const absl::Time now = environment_.clock.Now();
    const Keeping& keeping = foundation_.keeping;
    const Store::Retention retention = {.replies_before = now - kReplyRetention,
                                        .calls_before = now - keeping.call_retention,
                                        .calls_max = keeping.calls_max};
    int pruned = 0;
    do {
      ASSIGN_OR_RETURN(pruned, foundation_.store->Prune(retention));
      calls_pruned.Increment({}, static_cast<uint64_t>(pruned));
    } while (pruned > 0);
    return foundation_.cassettes->PruneCassettes(now - keeping.cassette_retention);
  }

  absl::Status ServeProxy(const config::v1::ModelsConfig& config) {
    http::Server::Options options = {.address = config.proxy_address(),
                                     .threads = 2,
                                     .limits = {.response_buffer_bytes = kReplyBufferBytes,
                                                .connections = 2 * running_.places_max()},
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
  UnsettledAnswers unsettled_;
  // Their queues hold what every connection and every call can have in them, so that no call is
  // kept from going on.
  base::ThreadPool beginnings_{
      {.threads = kBeginningThreads, .queue_max = 8 * static_cast<size_t>(running_.places_max())}};
  base::ThreadPool endings_{
      {.threads = kEndingThreads, .queue_max = 8 * static_cast<size_t>(running_.places_max())}};
  Caller caller_;
  AttemptKeys keys_;
  base::ThreadPool handler_pool_{{.threads = kHandlerThreads}};
  base::ThreadPool event_pool_{{.threads = kEventThreads}};
  ModelProxy proxy_{{caller_, keys_, beginnings_, environment_.clock, environment_.ids}};
  std::string proxy_address_;
  absl::Duration drain_timeout_;
  std::unique_ptr<HealthWatch> health_;
  std::unique_ptr<ModelsHandlers> handlers_;
  std::unique_ptr<grpc::Service> service_;
  events::EventLogService event_service_;
  metrics::Gauge::Observation calls_observation_;
  metrics::Gauge::Observation calls_max_observation_;
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
  ASSIGN_OR_RETURN(Keeping keeping, MakeKeeping(config));
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteStore> store,
                   SqliteStore::Open(config.database(), environment.clock, environment.ids));
  const std::string owner = environment.ids.NewId("models");
  const std::string boot = BootName();
  RETURN_IF_ERROR(RecoverCalls(*store, providers, environment.clock, owner, boot));
  RETURN_IF_ERROR(store->RegisterOwner(owner, boot));
  ASSIGN_OR_RETURN(std::unique_ptr<GateKeeper> gates, GateKeeper::Load(*store, environment.clock));
  ASSIGN_OR_RETURN(const std::vector<InputCalibration> known, store->Calibrations());
  AllowDescriptors(CallsMax(config));
  auto cassettes = std::make_unique<SqliteCassetteStore>(store->database());
  ASSIGN_OR_RETURN(std::unique_ptr<Recorder> recorder,
                   Recorder::Load(keeping.recording, *cassettes, environment.clock));
  providers = Recorded(std::move(providers), *recorder, environment.clock);
  auto parts = std::make_unique<Parts>(
      Foundation{std::move(store), std::move(gates), std::move(cassettes), std::move(recorder),
                 std::move(providers), std::move(routes), std::move(keeping), owner,
                 std::make_unique<Calibration>(known)},
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
