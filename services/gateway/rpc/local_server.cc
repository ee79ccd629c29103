#include "services/gateway/rpc/local_server.h"

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/rpc/server.h"

namespace slipway::gateway {

LocalServer::LocalServer(const std::vector<grpc::Service*>& services) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(rpc::kMessageBytesMax);
  builder.SetMaxSendMessageSize(rpc::kMessageBytesMax);
  for (grpc::Service* service : services) builder.RegisterService(service);
  server_ = builder.BuildAndStart();
}

std::shared_ptr<grpc::Channel> LocalServer::MakeChannel() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(rpc::kMessageBytesMax);
  arguments.SetMaxSendMessageSize(rpc::kMessageBytesMax);
  return server_->InProcessChannel(arguments);
}

void LocalServer::Shutdown() {
  server_->Shutdown(absl::ToChronoTime(base::RealClock().Now()));
  server_->Wait();
}

}  // namespace slipway::gateway
