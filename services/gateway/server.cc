#include "services/gateway/server.h"

#include <grpc/grpc.h>

#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log_service.h"
#include "lib/http/admin_server.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "lib/serving/endpoints.h"
#include "services/gateway/domain/access_log.h"
#include "services/gateway/domain/errors.h"
#include "services/gateway/domain/tickets.h"
#include "services/gateway/domain/token_files.h"
#include "services/gateway/http/front.h"
#include "services/gateway/rpc/forwarding_service.h"
#include "services/gateway/rpc/gateway_service.h"
#include "services/gateway/rpc/local_server.h"
#include "services/gateway/rpc/merged_event_service.h"
#include "services/gateway/storage/schema.h"
#include "services/gateway/storage/sqlite_token_store.h"

namespace slipway::gateway {
namespace {

// Handlers wait for disk, ListEvents and GetStatus for the services.
constexpr int kHandlerThreads = 8;
constexpr size_t kHandlerQueueMax = 1'024;
constexpr int kRecordThreads = 1;
constexpr int kEventThreads = 2;
constexpr int kHttpThreads = 2;
constexpr int kExtraAddressesMax = 4;
// Requests in JSON: the largest is a plan.
constexpr size_t kHttpBodyBytesMax = 4u << 20;

metrics::Gauge calls_under_way({.name = "slipway_gateway_calls_in_flight",
                                .description = "Calls being passed on, streams included.",
                                .labels = {}});
metrics::Gauge event_streams({.name = "slipway_gateway_event_streams_count",
                              .description = "Readers of the merged log.",
                              .labels = {}});

absl::Status CheckConfig(const config::v1::GatewayConfig& config) {
  const std::pair<const char*, const std::string&> required[] = {
      {"listen.address", config.listen().address()},
      {"database", config.database()},
      {"planner_address", config.planner_address()},
      {"dispatcher_address", config.dispatcher_address()},
      {"reviewer_address", config.reviewer_address()},
      {"ledger_address", config.ledger_address()},
      {"models_address", config.models_address()}};
  for (const auto& [field, value] : required) {
    if (value.empty()) return ConfigInvalid(field, "is missing in the configuration");
  }
  if (config.extra_addresses_size() > kExtraAddressesMax) {
    return ConfigInvalid("extra_addresses", "has more than 4 entries");
  }
  return absl::OkStatus();
}

Gatekeeper::Channels BackendChannels(const config::v1::GatewayConfig& config) {
  return {{"planner", rpc::MakeChannel(config.planner_address())},
          {"dispatcher", rpc::MakeChannel(config.dispatcher_address())},
          {"reviewer", rpc::MakeChannel(config.reviewer_address())},
          {"ledger", rpc::MakeChannel(config.ledger_address())},
          {"models", rpc::MakeChannel(config.models_address())}};
}

Gatekeeper::Channels With(Gatekeeper::Channels channels, const std::string& name,
                          std::shared_ptr<grpc::Channel> channel) {
  channels[name] = std::move(channel);
  return channels;
}

}  // namespace

// In the order of what needs what; destroyed in reverse. What the gateway answers itself is behind
// local_, its own log behind own_log_server_: to the rest both look like any other service.
class Server::Parts final {
 public:
  Parts(std::unique_ptr<sqlite::Database> database, std::unique_ptr<events::EventLog> log,
        const Environment& environment)
      : environment_(environment),
        database_(std::move(database)),
        log_(std::move(log)),
        store_(*database_, *log_),
        tickets_(environment.clock, environment.ids),
        own_log_service_(*log_, event_pool_, environment.clock),
        own_log_server_({&own_log_service_}) {}

  ~Parts() { Stop(); }

  absl::Status Serve(const config::v1::GatewayConfig& config) {
    ASSIGN_OR_RETURN(tokens_,
                     Tokens::Open(store_, environment_.clock, environment_.ids,
                                  [this](const std::string& name) { calls_.CancelCallsOf(name); }));
    if (!config.one_time_token_file().empty()) {
      RETURN_IF_ERROR(ImportOneTimeToken(*tokens_, config.one_time_token_file()));
    }
    if (!config.local_token_file().empty()) {
      RETURN_IF_ERROR(EnsureLocalToken(*tokens_, config.local_token_file()));
    }
    BuildServices(BackendChannels(config));
    RETURN_IF_ERROR(Listen(config));
    calls_gauge_ = calls_under_way.Observe([this] { return calls_.calls(); });
    streams_gauge_ = event_streams.Observe([logs = merged_logs_] { return logs->streams.load(); });
    return absl::OkStatus();
  }

  void Stop() {
    if (merged_logs_ != nullptr) merged_logs_->EndStreams();
    own_log_service_.EndStreams();
    for (const auto& server : grpc_) server->Shutdown();
    if (http_ != nullptr) http_->Stop();
    if (local_ != nullptr) local_->Shutdown();
    own_log_server_.Shutdown();
    handler_pool_.Stop();
    event_pool_.Stop();
    record_pool_.Stop();
  }

  std::vector<std::string> addresses() const {
    std::vector<std::string> addresses;
    for (const auto& server : grpc_) addresses.push_back(server->address());
    return addresses;
  }
  int http_port() const { return http_ == nullptr ? 0 : http_->port(); }
  int admin_port() const { return admin_ == nullptr ? 0 : admin_->port(); }

 private:
  void BuildServices(const Gatekeeper::Channels& backends) {
    merged_logs_ = std::make_shared<MergedLogs>(
        With(backends, kOwnBackend, own_log_server_.MakeChannel()), environment_.clock);
    handlers_ = std::make_unique<GatewayHandlers>(*tokens_, backends, environment_.version);
    service_ = BindGatewayService(*handlers_, handler_pool_);
    event_service_ = BindMergedEventService(merged_logs_, handler_pool_);
    local_ = std::make_unique<LocalServer>(
        std::vector<grpc::Service*>{service_.get(), event_service_.get()});
    gatekeeper_ = std::make_unique<Gatekeeper>(
        Gatekeeper::Collaborators{.methods = methods_,
                                  .tokens = *tokens_,
                                  .calls = calls_,
                                  .access_log = access_log_,
                                  .clock = environment_.clock,
                                  .ids = environment_.ids,
                                  .channels = With(backends, kOwnBackend, local_->MakeChannel())});
  }

  absl::Status Listen(const config::v1::GatewayConfig& config) {
    std::vector<std::string> addresses = {config.listen().address()};
    addresses.insert(addresses.end(), config.extra_addresses().begin(),
                     config.extra_addresses().end());
    for (const std::string& address : addresses) {
      forwarding_.push_back(std::make_unique<ForwardingService>(*gatekeeper_));
      ASSIGN_OR_RETURN(
          std::unique_ptr<rpc::Server> server,
          rpc::Server::Start({.address = address,
                              .services = {},
                              .generic_service = forwarding_.back().get(),
                              .reflected_services = methods_.public_services(),
                              .drain_timeout = serving::DrainTimeout(config.listen())}));
      grpc_.push_back(std::move(server));
    }
    if (!config.http_address().empty()) {
      ASSIGN_OR_RETURN(
          http_,
          http::Server::Start({.address = config.http_address(),
                               .threads = kHttpThreads,
                               .limits = {.body_bytes = kHttpBodyBytesMax},
                               .drain_timeout = serving::DrainTimeout(config.listen())},
                              MakeFront({.gatekeeper = *gatekeeper_,
                                         .methods = methods_,
                                         .tokens = *tokens_,
                                         .tickets = tickets_,
                                         .executor = handler_pool_,
                                         .allowed_origins = {config.allowed_origins().begin(),
                                                             config.allowed_origins().end()}})));
    }
    ASSIGN_OR_RETURN(admin_, serving::StartAdmin(config.listen()));
    return absl::OkStatus();
  }

  const Environment environment_;
  const std::unique_ptr<sqlite::Database> database_;
  const std::unique_ptr<events::EventLog> log_;
  SqliteTokenStore store_;
  const MethodTable methods_;
  CallRegistry calls_;
  Tickets tickets_;
  base::ThreadPool record_pool_{{.threads = kRecordThreads, .queue_max = kHandlerQueueMax}};
  base::ThreadPool event_pool_{{.threads = kEventThreads}};
  base::ThreadPool handler_pool_{{.threads = kHandlerThreads, .queue_max = kHandlerQueueMax}};
  AccessLog access_log_{[this](const events::EventDraft& draft) {
                          return store_.Append(environment_.clock.Now(), draft);
                        },
                        record_pool_, environment_.clock};
  events::EventLogService own_log_service_;
  LocalServer own_log_server_;
  std::unique_ptr<Tokens> tokens_;
  std::shared_ptr<MergedLogs> merged_logs_;
  std::unique_ptr<GatewayHandlers> handlers_;
  std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Service> event_service_;
  std::unique_ptr<LocalServer> local_;
  std::unique_ptr<Gatekeeper> gatekeeper_;
  std::vector<std::unique_ptr<ForwardingService>> forwarding_;
  metrics::Gauge::Observation calls_gauge_;
  metrics::Gauge::Observation streams_gauge_;
  std::vector<std::unique_ptr<rpc::Server>> grpc_;
  std::unique_ptr<http::Server> http_;
  std::unique_ptr<http::AdminServer> admin_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::v1::GatewayConfig& config,
                                                      const Environment& environment) {
  RETURN_IF_ERROR(CheckConfig(config));
  // Held for good: when the last user of gRPC goes, its poller may make the process wait 10 s.
  [[maybe_unused]] static const bool grpc_stays = (grpc_init(), true);
  ASSIGN_OR_RETURN(
      std::unique_ptr<sqlite::Database> database,
      sqlite::Database::Open(config.database(), {.migrations = kMigrations, .exclusive = true}));
  ASSIGN_OR_RETURN(std::unique_ptr<events::EventLog> log,
                   events::EventLog::Open(*database, environment.ids, kOwnBackend));
  auto parts = std::make_unique<Parts>(std::move(database), std::move(log), environment);
  RETURN_IF_ERROR(parts->Serve(config));
  log::Info("gateway serves",
            {{"address", parts->addresses().front()}, {"http_port", parts->http_port()}});
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

std::vector<std::string> Server::addresses() const { return parts_->addresses(); }
int Server::http_port() const { return parts_->http_port(); }
int Server::admin_port() const { return parts_->admin_port(); }
void Server::Stop() { parts_->Stop(); }

}  // namespace slipway::gateway
