#include "lib/rpc/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <stdlib.h>

#include "absl/strings/match.h"
#include "lib/rpc/steady_time.h"

namespace slipway::rpc {
namespace {

// Where all calls fail at once because the server was away, nobody looks at the new connection but
// gRPC itself: every 5 s by default, so that a client takes that long to find a server that is
// back. Read when gRPC starts, hence set before main.
[[maybe_unused]] const int kConnectionsAreLookedAt =
    setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "50", /*overwrite=*/0);

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const ChannelOptions& options) {
  KeepWaitsSteady();
  const bool is_unix = absl::StartsWith(address, "unix:");
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, is_unix ? 20 : 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, is_unix ? 500 : 5'000);
  // Despite its name the time that one connection attempt may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, is_unix ? 1'000 : 5'000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(options.max_message_bytes);
  arguments.SetMaxSendMessageSize(options.max_message_bytes);
  if (options.credentials == nullptr) {
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  }
  if (!options.server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.server_name);
  }
  return grpc::CreateCustomChannel(address, options.credentials, arguments);
}

}  // namespace slipway::rpc
