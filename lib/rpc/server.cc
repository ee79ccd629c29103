#include "lib/rpc/server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/socket_path.h"
#include "lib/rpc/steady_time.h"

namespace slipway::rpc {
namespace {

constexpr absl::string_view kUnixPrefix = "unix:";
constexpr char kHealthService[] = "grpc.health.v1.Health";

// Learns the names of the registered services, which only a plugin is told. InitServer runs after
// registration and before the first RPC.
class ServiceNamesPlugin final : public grpc::ServerBuilderPlugin {
 public:
  explicit ServiceNamesPlugin(ReflectionIndex& index) : index_(index) {}

  std::string name() override { return "slipway_service_names"; }
  void InitServer(grpc::ServerInitializer* initializer) override {
    for (const std::string& name : *initializer->GetServiceList()) index_.AddService(name);
  }
  void Finish(grpc::ServerInitializer*) override {}
  void ChangeArguments(const std::string&, void*) override {}

 private:
  ReflectionIndex& index_;
};

class ServiceNamesOption final : public grpc::ServerBuilderOption {
 public:
  explicit ServiceNamesOption(ReflectionIndex& index) : index_(index) {}

  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<ServiceNamesPlugin>(index_));
  }

 private:
  ReflectionIndex& index_;
};

// New files are private to the user until the end of the scope. The mask belongs to the process,
// hence the lock; what other threads make meanwhile, and children that they start, stay usable.
class PrivateFiles final {
 public:
  PrivateFiles() : lock_(TheMutex()), outer_(umask(0077)) {}
  ~PrivateFiles() { umask(outer_); }

 private:
  static base::Mutex& TheMutex() {
    static base::Mutex& mutex = *new base::Mutex;
    return mutex;
  }

  base::MutexLock lock_;
  const mode_t outer_;
};

absl::Status InvalidAddress(const std::string& address) {
  return base::Error(
      absl::StatusCode::kInvalidArgument, "ADDRESS_INVALID",
      absl::StrCat("cannot listen on '", address,
                   "'; write 'unix:/absolute/path' or 'host:port', with port 0 for any"),
      {{"address", address}});
}

absl::Status CheckAddress(const std::string& address) {
  absl::string_view rest = address;
  if (absl::ConsumePrefix(&rest, kUnixPrefix)) {
    if (!absl::StartsWith(rest, "/")) return InvalidAddress(address);
    return ClearSocketPath(std::string(rest));
  }
  const size_t colon = rest.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(rest.substr(colon + 1), &port) || port < 0 || port > 65'535) {
    return InvalidAddress(address);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Options options) {
  KeepWaitsSteady();
  RETURN_IF_ERROR(CheckAddress(options.address));
  ASSIGN_OR_RETURN(ReflectionIndex index,
                   ReflectionIndex::Make(std::move(options.reflected_services)));
  std::unique_ptr<Server> server(new Server(std::move(index)));
  RETURN_IF_ERROR(server->Listen(options));
  return server;
}

absl::Status Server::Listen(const Options& options) {
  drain_timeout_ = options.drain_timeout;
  index_.AddService(kHealthService);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.SetOption(std::make_unique<ServiceNamesOption>(index_));
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(options.max_message_bytes);
  // Else two servers could share one port and each get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  int bound_port = 0;
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (!options.tls.empty()) {
    ASSIGN_OR_RETURN(credentials, ServerTls(options.tls));
  }
  builder.AddListeningPort(options.address, credentials, &bound_port);
  for (grpc::Service* service : options.services) builder.RegisterService(service);
  builder.RegisterService(&reflection_v1_);
  builder.RegisterService(&reflection_v1alpha_);
  if (options.generic_service != nullptr) {
    builder.RegisterCallbackGenericService(options.generic_service);
  }
  {
    const PrivateFiles private_files;
    server_ = builder.BuildAndStart();
  }
  if (server_ == nullptr || bound_port == 0) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "ADDRESS_UNAVAILABLE",
                       absl::StrCat("cannot listen on '", options.address,
                                    "': it is in use, not allowed, or its directory is missing"),
                       {{"address", options.address}});
  }
  address_ = options.address;
  if (absl::StartsWith(address_, kUnixPrefix)) {
    chmod(address_.substr(kUnixPrefix.size()).c_str(), 0600);
  } else {
    port_ = bound_port;
    address_ = absl::StrCat(address_.substr(0, address_.rfind(':')), ":", port_);
  }
  SetServing(true);
  return absl::OkStatus();
}

void Server::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  for (const std::string& name : index_.service_names()) health->SetServingStatus(name, serving);
  health->SetServingStatus(serving);
}

void Server::Shutdown() {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(DeadlineIn(drain_timeout_));
  server_->Wait();
}

}  // namespace slipway::rpc
