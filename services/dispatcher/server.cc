#include "services/dispatcher/server.h"

#include <utility>

#include "absl/random/random.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log_service.h"
#include "lib/log/log.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "lib/serving/endpoints.h"
#include "services/dispatcher/docker_settings.h"
#include "services/dispatcher/domain/dispatcher.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/fleet/host_fleet.h"
#include "services/dispatcher/fleet/kill_switch.h"
#include "services/dispatcher/fleet/process_fleet.h"
#include "services/dispatcher/kubernetes_settings.h"
#include "services/dispatcher/rpc/agent_service.h"
#include "services/dispatcher/rpc/dispatcher_handlers.h"
#include "services/dispatcher/rpc/dispatcher_service.h"
#include "services/dispatcher/rpc/external_scaler_service.h"
#include "services/dispatcher/rpc/grpc_models.h"
#include "services/dispatcher/rpc/grpc_reviewer.h"
#include "services/dispatcher/rpc/ledger_follower.h"
#include "services/dispatcher/server_settings.h"
#include "services/dispatcher/storage/segment_logs.h"
#include "services/dispatcher/storage/sqlite_task_store.h"
#include "services/dispatcher/upkeep.h"

namespace slipway::dispatcher {
namespace {

// Reads of rows and logs: short, and many watch at once.
constexpr int kReadThreads = 4;
constexpr int kEventThreads = 2;
// Old logs and events are days old: nobody waits for these.
constexpr absl::Duration kLogSweepInterval = absl::Minutes(10);
constexpr absl::Duration kCompactInterval = absl::Hours(1);
// Room for the largest result and what surrounds it.
constexpr int kMessageBytesMax = static_cast<int>(kResultBytesMax) + (1 << 20);

Randomness OwnRandomness() {
  auto mutex = std::make_shared<base::Mutex>();
  auto generator = std::make_shared<absl::BitGen>();
  return [mutex, generator] {
    base::MutexLock lock(*mutex);
    return absl::Uniform(*generator, 0.0, 1.0);
  };
}

}  // namespace

// In the order of what needs what; destroyed in reverse.
class Server::Parts final {
 public:
  Parts(std::unique_ptr<SqliteTaskStore> store, std::unique_ptr<SegmentLogs> logs,
        Settings settings, HostFleet::Drivers drivers, const config::v1::DispatcherConfig& config,
        const Environment& environment)
      : store_(std::move(store)),
        logs_(std::move(logs)),
        reviewer_channel_(
            rpc::MakeChannel(config.reviewer_address(), {.max_message_bytes = kMessageBytesMax})),
        repository_(repository::v1::RepositoryService::NewStub(reviewer_channel_)),
        reviewer_(reviewer_channel_, *store_, read_pool_),
        models_(rpc::MakeChannel(config.models_address()), store_->term()),
        processes_(ProgramsOf(config), tokens_, environment.clock),
        fleet_(processes_, std::move(drivers), tokens_, environment.clock),
        dispatcher_({.store = *store_,
                     .reviewer = reviewer_,
                     .models = models_,
                     .fleet = fleet_,
                     .clock = environment.clock,
                     .ids = environment.ids,
                     .random = environment.random ? environment.random : OwnRandomness(),
                     .settings = std::move(settings)}),
        handlers_(dispatcher_, *store_, *logs_),
        log_host_{*logs_, *store_, read_pool_, environment.clock},
        service_(BindDispatcherService(handlers_, log_host_, read_pool_)),
        event_service_(store_->event_log(), event_pool_, environment.clock),
        agent_service_(BindAgentService({dispatcher_, tokens_, *logs_, log_pool_},
                                        {dispatcher_, tokens_, *repository_})),
        scaler_host_{dispatcher_, environment.clock},
        scaler_service_(BindExternalScaler(scaler_host_)),
        clock_(environment.clock) {}

  ~Parts() { Stop(); }

  absl::Status Serve(const config::v1::DispatcherConfig& config) {
    RETURN_IF_ERROR(AddExternalTokens(config, tokens_));
    const auto on_exited = [this](std::string agent, std::string problem) {
      dispatcher_.OnAgentExited(std::move(agent), std::move(problem));
    };
    processes_.Begin(on_exited);
    fleet_.set_reports(
        {.on_exited = on_exited, .on_reach = [this](std::string host, std::string problem) {
           dispatcher_.OnHostReach(std::move(host), std::move(problem));
         }});
    ASSIGN_OR_RETURN(const std::string cursor, dispatcher_.Start());
    ASSIGN_OR_RETURN(agents_, rpc::Server::Start({.address = config.agent_address(),
                                                  .services = {agent_service_.get()},
                                                  .max_message_bytes = kMessageBytesMax,
                                                  .drain_timeout = absl::Milliseconds(200)}));
    RETURN_IF_ERROR(ListenToOthers(config));
    ASSIGN_OR_RETURN(endpoints_,
                     serving::Endpoints::Start({.listen = config.listen(),
                                                .services = {service_.get(), &event_service_},
                                                .max_message_bytes = kMessageBytesMax}));
    kill_switch_ = std::make_unique<KillSwitch>(config.kill_switch_file(), clock_,
                                                [this](bool on) { dispatcher_.SetKillSwitch(on); });
    log_upkeep_ =
        std::make_unique<Upkeep>(clock_, read_pool_, kLogSweepInterval, [this] { logs_->Sweep(); });
    ASSIGN_OR_RETURN(const absl::Duration retention, EventRetentionOf(config));
    event_upkeep_ = std::make_unique<Upkeep>(clock_, event_pool_, kCompactInterval,
                                             [this, retention] { CompactEvents(retention); });
    budgets_ = std::make_unique<LogFollower>(rpc::MakeChannel(config.ledger_address()),
                                             LedgerFor(dispatcher_, cursor), clock_);
    rollbacks_ =
        std::make_unique<LogFollower>(reviewer_channel_, RollbacksFor(dispatcher_), clock_);
    return absl::OkStatus();
  }

  void Stop() {
    if (stopped_) return;
    stopped_ = true;
    event_service_.EndStreams();
    log_host_.stopping = true;
    if (log_upkeep_ != nullptr) log_upkeep_->Stop();
    if (event_upkeep_ != nullptr) event_upkeep_->Stop();
    if (kill_switch_ != nullptr) kill_switch_->Stop();
    if (budgets_ != nullptr) budgets_->Stop();
    if (rollbacks_ != nullptr) rollbacks_->Stop();
    if (endpoints_ != nullptr) endpoints_->Shutdown();
    scaler_host_.stopping = true;
    if (scaler_ != nullptr) scaler_->Shutdown();
    if (far_agents_ != nullptr) far_agents_->Shutdown();
    if (agents_ != nullptr) agents_->Shutdown();
    // What follows from the end of sessions and processes is for the next start to find.
    dispatcher_.Stop();
    store_->Stop();
    dispatcher_.StopCarrying();  // The last effects of the core are for the fleet.
    fleet_.Stop();
    processes_.Stop();
    reviewer_.Stop();
    models_.Stop();
    read_pool_.Stop();
    log_pool_.Stop();
    event_pool_.Stop();
  }

  const std::string& address() const { return endpoints_->address(); }
  const std::string& agent_address() const { return agents_->address(); }
  std::string far_agent_address() const {
    return far_agents_ == nullptr ? "" : far_agents_->address();
  }
  std::string scaler_address() const { return scaler_ == nullptr ? "" : scaler_->address(); }
  int admin_port() const { return endpoints_->admin_port(); }

 private:
  // Callers from other machines.
  absl::Status ListenToOthers(const config::v1::DispatcherConfig& config) {
    if (config.has_agent_listen()) {
      ASSIGN_OR_RETURN(rpc::TlsFiles tls, TlsOf(config.agent_listen(), "agent_listen", true));
      ASSIGN_OR_RETURN(far_agents_, rpc::Server::Start({.address = config.agent_listen().address(),
                                                        .tls = std::move(tls),
                                                        .services = {agent_service_.get()},
                                                        .max_message_bytes = kMessageBytesMax,
                                                        .drain_timeout = absl::Milliseconds(200)}));
    }
    if (!config.has_scaler_listen()) return absl::OkStatus();
    ASSIGN_OR_RETURN(rpc::TlsFiles tls, TlsOf(config.scaler_listen(), "scaler_listen", false));
    ASSIGN_OR_RETURN(scaler_, rpc::Server::Start({.address = config.scaler_listen().address(),
                                                  .tls = std::move(tls),
                                                  .services = {scaler_service_.get()},
                                                  .drain_timeout = absl::Milliseconds(200)}));
    return absl::OkStatus();
  }

  void CompactEvents(absl::Duration retention) {
    const absl::StatusOr<int64_t> compacted =
        store_->event_log().CompactOlder(clock_.Now() - retention);
    if (!compacted.ok()) {
      log::Warning("old events were not removed", {{"error", compacted.status().ToString()}});
    } else if (*compacted > 0) {
      log::Info("old events were removed", {{"events", *compacted}});
    }
  }

  const std::unique_ptr<SqliteTaskStore> store_;
  const std::unique_ptr<SegmentLogs> logs_;
  AgentTokens tokens_;
  base::ThreadPool read_pool_{{.threads = kReadThreads}};
  base::ThreadPool log_pool_{{.threads = 1}};
  base::ThreadPool event_pool_{{.threads = kEventThreads}};
  const std::shared_ptr<grpc::Channel> reviewer_channel_;
  const std::unique_ptr<repository::v1::RepositoryService::Stub> repository_;
  GrpcReviewer reviewer_;
  GrpcModels models_;
  ProcessFleet processes_;
  HostFleet fleet_;
  Dispatcher dispatcher_;
  DispatcherHandlers handlers_;
  ReadLogReactor::Host log_host_;
  std::unique_ptr<grpc::Service> service_;
  events::EventLogService event_service_;
  std::unique_ptr<grpc::Service> agent_service_;
  ScalerHost scaler_host_;
  std::unique_ptr<grpc::Service> scaler_service_;
  base::Clock& clock_;
  std::unique_ptr<rpc::Server> agents_;
  std::unique_ptr<rpc::Server> far_agents_;
  std::unique_ptr<rpc::Server> scaler_;
  std::unique_ptr<serving::Endpoints> endpoints_;
  std::unique_ptr<KillSwitch> kill_switch_;
  std::unique_ptr<LogFollower> budgets_;
  std::unique_ptr<LogFollower> rollbacks_;
  std::unique_ptr<Upkeep> log_upkeep_;
  std::unique_ptr<Upkeep> event_upkeep_;
  bool stopped_ = false;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::v1::DispatcherConfig& config,
                                                      const Environment& environment) {
  ASSIGN_OR_RETURN(Settings settings, SettingsOf(config));
  ASSIGN_OR_RETURN(const LogLimits limits, LogLimitsOf(config));
  RETURN_IF_ERROR(EventRetentionOf(config).status());
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteTaskStore> store,
                   SqliteTaskStore::Open(config.database(), environment.clock, environment.ids));
  ASSIGN_OR_RETURN(std::unique_ptr<SegmentLogs> logs,
                   SegmentLogs::Open(config.log_directory(), limits, environment.clock));
  HostFleet::Drivers drivers;
  const std::string owner = store->event_log().uuid();
  ASSIGN_OR_RETURN(drivers.engines, EnginesOf(config, owner));
  ASSIGN_OR_RETURN(drivers.clusters,
                   ClustersOf(config, owner, ClusterSurroundings::FromEnvironment()));
  const int64_t term = store->term();
  auto parts = std::make_unique<Parts>(std::move(store), std::move(logs), std::move(settings),
                                       std::move(drivers), config, environment);
  RETURN_IF_ERROR(parts->Serve(config));
  log::Info("dispatcher serves", {{"address", parts->address()}, {"term", term}});
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

const std::string& Server::address() const { return parts_->address(); }
const std::string& Server::agent_address() const { return parts_->agent_address(); }
std::string Server::far_agent_address() const { return parts_->far_agent_address(); }
std::string Server::scaler_address() const { return parts_->scaler_address(); }
int Server::admin_port() const { return parts_->admin_port(); }
void Server::Stop() { parts_->Stop(); }

}  // namespace slipway::dispatcher
