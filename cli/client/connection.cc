#include "cli/client/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "lib/rpc/steady_time.h"

namespace slipway::cli {
namespace {

constexpr char kSystemCertificates[] = "/etc/ssl/certs/ca-certificates.crt";

bool IsLoopback(absl::string_view address) {
  const absl::string_view host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" || absl::StartsWith(host, "127.");
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> SecureChannel(absl::string_view host) {
  rpc::KeepWaitsSteady();
  grpc::SslCredentialsOptions options;
  absl::StatusOr<std::string> roots = base::ReadFile(kSystemCertificates);
  if (roots.ok()) options.pem_root_certs = *std::move(roots);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(rpc::kMessageBytesMax);
  arguments.SetMaxSendMessageSize(rpc::kMessageBytesMax);
  return grpc::CreateCustomChannel(std::string(host), grpc::SslCredentials(options), arguments);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(const std::string& address) {
  absl::string_view host = address;
  if (absl::ConsumePrefix(&host, "https://")) return SecureChannel(host);
  if (absl::StartsWith(address, "unix:/")) return rpc::MakeChannel(address);
  if (!absl::StrContains(address, ':') || absl::StrContains(address, '/')) {
    return base::Error(absl::StatusCode::kInvalidArgument, "ADDRESS_INVALID",
                       absl::StrCat("'", address, "' is not an address"), {{"address", address}});
  }
  if (!IsLoopback(address)) {
    return base::Error(absl::StatusCode::kInvalidArgument, "ADDRESS_INSECURE",
                       absl::StrCat("'", address, "' would send the token over a network in clear"),
                       {{"address", address}});
  }
  return rpc::MakeChannel(address);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(Target target) {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = ChannelTo(target.address);
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<Connection>(new Connection(std::move(target), *channel));
}

Connection::Connection(Target target, const std::shared_ptr<grpc::Channel>& channel)
    : target_(std::move(target)),
      planner_(planner::v1::PlannerService::NewStub(channel)),
      dispatcher_(dispatcher::v1::DispatcherService::NewStub(channel)),
      reviewer_(reviewer::v1::ReviewerService::NewStub(channel)),
      repository_(repository::v1::RepositoryService::NewStub(channel)),
      ledger_(ledger::v1::LedgerService::NewStub(channel)),
      models_(models::v1::ModelsService::NewStub(channel)),
      gateway_(gateway::v1::GatewayService::NewStub(channel)),
      events_(events::v1::EventLogService::NewStub(channel)) {}

void Connection::Prepare(grpc::ClientContext& context, absl::Duration timeout) const {
  if (timeout < absl::InfiniteDuration()) {
    context.set_deadline(rpc::DeadlineIn(timeout));
  }
  if (!target_.token.empty()) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", target_.token));
  }
}

// gRPC's own words about sockets say nothing about what to do.
absl::Status Connection::Explain(absl::Status status) const {
  // All that gRPC says about a request that the other side cannot read.
  if (status.code() == absl::StatusCode::kUnimplemented && status.message().empty()) {
    return base::Error(absl::StatusCode::kInvalidArgument, "ARGUMENT_INVALID",
                       "the service cannot read the request: every text must be UTF-8");
  }
  if (status.code() != absl::StatusCode::kUnavailable || !base::ReasonOf(status).empty()) {
    return status;
  }
  return base::Error(absl::StatusCode::kUnavailable, "UNREACHABLE",
                     absl::StrCat("the suite does not answer at ", target_.address),
                     {{"address", target_.address}});
}

}  // namespace slipway::cli
