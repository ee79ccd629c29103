#include "services/planner/server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log_service.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/channel.h"
#include "lib/serving/endpoints.h"
#include "services/planner/domain/limits.h"
#include "services/planner/rpc/grpc_dispatcher_client.h"
#include "services/planner/rpc/grpc_model_client.h"
#include "services/planner/rpc/grpc_repository_client.h"
#include "services/planner/rpc/planner_handlers.h"
#include "services/planner/rpc/planner_service.h"
#include "services/planner/rpc/run_follower.h"
#include "services/planner/storage/schema.h"
#include "services/planner/storage/sqlite_plan_store.h"

namespace slipway::planner {
namespace {

constexpr char kDefaultPlanningRole[] = "frontier_reviewer";
// Handlers wait for the repository service; few people plan at once.
constexpr int kHandlerThreads = 8;
constexpr size_t kHandlerQueueMax = 1'024;
constexpr int kEventThreads = 2;

metrics::Gauge active({.name = "slipway_planner_drafts_active_count",
                       .description = "Plans that are being drafted, with those that wait.",
                       .labels = {}});

absl::Status CheckConfig(const config::v1::PlannerConfig& config) {
  const auto missing = [](absl::string_view field) {
    return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                       absl::StrCat(field, " is missing in the configuration"),
                       {{"field", std::string(field)}});
  };
  if (config.listen().address().empty()) return missing("listen.address");
  if (config.database().empty()) return missing("database");
  if (config.models_address().empty()) return missing("models_address");
  if (config.reviewer_address().empty()) return missing("reviewer_address");
  if (config.dispatcher_address().empty()) return missing("dispatcher_address");
  if (config.repair_rounds_max() < 0 || config.repair_rounds_max() > kRepairRoundsMax ||
      config.drafts_max() < 0 || config.drafts_max() > kDraftThreadsMax) {
    return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                       absl::StrCat("repair_rounds_max must be 0 to ", kRepairRoundsMax,
                                    ", drafts_max 0 to ", kDraftThreadsMax));
  }
  return absl::OkStatus();
}

Drafter::Options DraftingOptions(const config::v1::PlannerConfig& config, PlanStore& store,
                                 ModelClient& models, RepositoryClient& repository,
                                 base::Clock& clock) {
  return {.store = store,
          .models = models,
          .repository = repository,
          .clock = clock,
          .planning_role =
              config.planning_role().empty() ? kDefaultPlanningRole : config.planning_role(),
          .repair_rounds_max =
              config.repair_rounds_max() == 0 ? kRepairRoundsDefault : config.repair_rounds_max(),
          .threads = config.drafts_max() == 0 ? kDraftsDefault : config.drafts_max()};
}

}  // namespace

// In the order of what needs what; destroyed in reverse.
class Server::Parts final {
 public:
  Parts(std::unique_ptr<sqlite::Database> database, std::unique_ptr<events::EventLog> log,
        const config::v1::PlannerConfig& config, const Environment& environment)
      : database_(std::move(database)),
        log_(std::move(log)),
        store_(*database_, *log_, environment.clock),
        dispatcher_channel_(rpc::MakeChannel(config.dispatcher_address())),
        models_(rpc::MakeChannel(config.models_address())),
        repository_(rpc::MakeChannel(config.reviewer_address())),
        dispatcher_(dispatcher_channel_),
        drafter_(DraftingOptions(config, store_, models_, repository_, environment.clock)),
        starter_({.store = store_,
                  .repository = repository_,
                  .dispatcher = dispatcher_,
                  .clock = environment.clock}),
        projects_(store_, repository_, environment.clock),
        plans_({.store = store_,
                .repository = repository_,
                .models = models_,
                .drafter = drafter_,
                .dispatcher = dispatcher_,
                .clock = environment.clock}),
        handlers_(projects_, plans_, starter_),
        service_(BindPlannerService(handlers_, handler_pool_)),
        event_service_(*log_, event_pool_, environment.clock) {}

  ~Parts() { Stop(); }

  absl::Status Serve(const config::v1::PlannerConfig& config) {
    RETURN_IF_ERROR(drafter_.Resume());
    RETURN_IF_ERROR(starter_.Resume());
    active_ = active.Observe([this] { return static_cast<double>(drafter_.active()); });
    follower_ = std::make_unique<RunFollower>(dispatcher_channel_, store_, starter_);
    ASSIGN_OR_RETURN(endpoints_,
                     serving::Endpoints::Start({.listen = config.listen(),
                                                .services = {service_.get(), &event_service_}}));
    return absl::OkStatus();
  }

  void Stop() {
    event_service_.EndStreams();
    if (endpoints_ != nullptr) endpoints_->Shutdown();
    if (follower_ != nullptr) follower_->Stop();
    starter_.Stop();
    drafter_.Stop();
    handler_pool_.Stop();
    event_pool_.Stop();
  }

  const std::string& address() const { return endpoints_->address(); }
  int admin_port() const { return endpoints_->admin_port(); }

 private:
  const std::unique_ptr<sqlite::Database> database_;
  const std::unique_ptr<events::EventLog> log_;
  SqlitePlanStore store_;
  const std::shared_ptr<grpc::Channel> dispatcher_channel_;
  GrpcModelClient models_;
  GrpcRepositoryClient repository_;
  GrpcDispatcherClient dispatcher_;
  Drafter drafter_;
  Starter starter_;
  Projects projects_;
  Plans plans_;
  PlannerHandlers handlers_;
  base::ThreadPool handler_pool_{{.threads = kHandlerThreads, .queue_max = kHandlerQueueMax}};
  base::ThreadPool event_pool_{{.threads = kEventThreads}};
  std::unique_ptr<grpc::Service> service_;
  events::EventLogService event_service_;
  metrics::Gauge::Observation active_;
  std::unique_ptr<RunFollower> follower_;
  std::unique_ptr<serving::Endpoints> endpoints_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::v1::PlannerConfig& config,
                                                      const Environment& environment) {
  RETURN_IF_ERROR(CheckConfig(config));
  ASSIGN_OR_RETURN(
      std::unique_ptr<sqlite::Database> database,
      sqlite::Database::Open(config.database(), {.migrations = kMigrations, .exclusive = true}));
  ASSIGN_OR_RETURN(std::unique_ptr<events::EventLog> log,
                   events::EventLog::Open(*database, environment.ids, "planner"));
  auto parts = std::make_unique<Parts>(std::move(database), std::move(log), config, environment);
  RETURN_IF_ERROR(parts->Serve(config));
  log::Info("planner serves", {{"address", parts->address()}});
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

const std::string& Server::address() const { return parts_->address(); }
int Server::admin_port() const { return parts_->admin_port(); }
void Server::Stop() { parts_->Stop(); }

}  // namespace slipway::planner
