#include "services/reviewer/server.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log_service.h"
#include "lib/log/log.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/proto_time.h"
#include "lib/serving/endpoints.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/flow/merger.h"
#include "services/reviewer/flow/rewinder.h"
#include "services/reviewer/mirror/mirrors.h"
#include "services/reviewer/mirror/sources.h"
#include "services/reviewer/rpc/grpc_model_client.h"
#include "services/reviewer/rpc/repository_handlers.h"
#include "services/reviewer/rpc/repository_service.h"
#include "services/reviewer/rpc/reviewer_handlers.h"
#include "services/reviewer/rpc/reviewer_service.h"
#include "services/reviewer/storage/sqlite_review_store.h"

namespace slipway::reviewer {
namespace {

// Git work is bound by processor and disk; more threads would only fight for them.
constexpr int kGitThreads = 4;
constexpr size_t kGitQueueMax = 1'024;
// Critics under way at once; the models service has limits of its own.
constexpr int kModelThreads = 8;
// Agents that take a snapshot at once.
constexpr int kSnapshotThreads = 4;
constexpr int kEventThreads = 2;

absl::Status CheckConfig(const config::v1::ReviewerConfig& config) {
  const auto missing = [](absl::string_view field) {
    return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                       absl::StrCat(field, " is missing in the configuration"),
                       {{"field", std::string(field)}});
  };
  if (config.listen().address().empty()) return missing("listen.address");
  if (config.database().empty()) return missing("database");
  if (config.repository_directory().empty()) return missing("repository_directory");
  if (config.models_address().empty()) return missing("models_address");
  const auto outside = [](absl::string_view field, int max) {
    return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                       absl::StrCat(field, " is not in 0 to ", max),
                       {{"field", std::string(field)}});
  };
  const config::v1::MergeQueue& queue = config.merge_queue();
  if (queue.window_max() < 0 || queue.window_max() > kQueueWindowMax) {
    return outside("merge_queue.window_max", kQueueWindowMax);
  }
  if (queue.batch_max() < 0 || queue.batch_max() > kQueueWindowMax) {
    return outside("merge_queue.batch_max", kQueueWindowMax);
  }
  if (queue.flaky_reruns_max() < 0 || queue.flaky_reruns_max() > kFlakyRerunsMax) {
    return outside("merge_queue.flaky_reruns_max", kFlakyRerunsMax);
  }
  return absl::OkStatus();
}

RemoteHosts RemotesOf(const config::v1::ReviewerConfig& config) {
  RemoteHosts hosts;
  for (const config::v1::RemoteHost& remote : config.remotes()) {
    git::RemoteAccess access{.username = remote.username(),
                             .token_file = remote.token_file(),
                             .ca_file = remote.ca_file(),
                             .ssh_key_file = remote.ssh_key_file(),
                             .known_hosts_file = remote.known_hosts_file()};
    if (remote.has_timeout()) access.timeout = rpc::FromProto(remote.timeout());
    if (remote.bytes_max() > 0) access.bytes_max = remote.bytes_max();
    hosts[remote.host()] = std::move(access);
  }
  return hosts;
}

Workshop MakeWorkshop(const config::v1::ReviewerConfig& config, ReviewStore& store,
                      Mirrors& mirrors, const Sources& sources, base::Clock& clock) {
  Workshop workshop{.store = store, .mirrors = mirrors, .sources = sources, .clock = clock};
  if (!config.committer_name().empty()) workshop.committer_name = config.committer_name();
  if (!config.committer_email().empty()) workshop.committer_email = config.committer_email();
  workshop.validator_programs = {config.validator_programs().begin(),
                                 config.validator_programs().end()};
  const config::v1::MergeQueue& queue = config.merge_queue();
  if (queue.window_max() > 0) workshop.queue.window_max = queue.window_max();
  if (queue.batch_max() > 0) workshop.queue.batch_max = queue.batch_max();
  if (queue.has_flaky_reruns_max()) workshop.flaky_reruns_max = queue.flaky_reruns_max();
  return workshop;
}

}  // namespace

// In the order of what needs what; destroyed in reverse.
class Server::Parts final {
 public:
  Parts(std::unique_ptr<SqliteReviewStore> store, std::unique_ptr<Mirrors> mirrors,
        const config::v1::ReviewerConfig& config, const Environment& environment)
      : store_(std::move(store)),
        mirrors_(std::move(mirrors)),
        sources_({config.repository_roots().begin(), config.repository_roots().end()},
                 RemotesOf(config)),
        workshop_(MakeWorkshop(config, *store_, *mirrors_, sources_, environment.clock)),
        models_(rpc::MakeChannel(config.models_address())),
        reviewer_handlers_(workshop_, models_),
        repository_handlers_(workshop_),
        reviewer_service_(BindReviewerService(reviewer_handlers_, git_pool_, model_pool_)),
        repository_service_(BindRepositoryService(repository_handlers_, git_pool_, snapshot_pool_)),
        event_service_(store_->event_log(), event_pool_, environment.clock) {}

  ~Parts() { Stop(); }

  absl::Status Serve(const config::v1::ReviewerConfig& config) {
    RETURN_IF_ERROR(Merger(workshop_).Recover());
    RETURN_IF_ERROR(Rewinder(workshop_).Recover());
    ASSIGN_OR_RETURN(
        endpoints_,
        serving::Endpoints::Start(
            {.listen = config.listen(),
             .services = {reviewer_service_.get(), repository_service_.get(), &event_service_}}));
    return absl::OkStatus();
  }

  void Stop() {
    event_service_.EndStreams();
    if (endpoints_ != nullptr) endpoints_->Shutdown();
    git_pool_.Stop();
    model_pool_.Stop();
    snapshot_pool_.Stop();
    event_pool_.Stop();
    store_->Stop();
  }

  const std::string& address() const { return endpoints_->address(); }
  int admin_port() const { return endpoints_->admin_port(); }

 private:
  const std::unique_ptr<SqliteReviewStore> store_;
  const std::unique_ptr<Mirrors> mirrors_;
  const Sources sources_;
  const Workshop workshop_;
  GrpcModelClient models_;
  ReviewerHandlers reviewer_handlers_;
  RepositoryHandlers repository_handlers_;
  base::ThreadPool git_pool_{{.threads = kGitThreads, .queue_max = kGitQueueMax}};
  base::ThreadPool model_pool_{{.threads = kModelThreads}};
  base::ThreadPool snapshot_pool_{{.threads = kSnapshotThreads}};
  base::ThreadPool event_pool_{{.threads = kEventThreads}};
  std::unique_ptr<grpc::Service> reviewer_service_;
  std::unique_ptr<grpc::Service> repository_service_;
  events::EventLogService event_service_;
  std::unique_ptr<serving::Endpoints> endpoints_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::v1::ReviewerConfig& config,
                                                      const Environment& environment) {
  RETURN_IF_ERROR(CheckConfig(config));
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteReviewStore> store,
                   SqliteReviewStore::Open(config.database(), environment.clock, environment.ids));
  ASSIGN_OR_RETURN(std::unique_ptr<Mirrors> mirrors, Mirrors::Open(config.repository_directory()));
  auto parts = std::make_unique<Parts>(std::move(store), std::move(mirrors), config, environment);
  RETURN_IF_ERROR(parts->Serve(config));
  log::Info("reviewer serves", {{"address", parts->address()}});
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

const std::string& Server::address() const { return parts_->address(); }
int Server::admin_port() const { return parts_->admin_port(); }
void Server::Stop() { parts_->Stop(); }

}  // namespace slipway::reviewer
