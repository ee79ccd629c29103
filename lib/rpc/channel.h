#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "lib/rpc/server.h"
#include "lib/rpc/tls_files.h"

namespace slipway::rpc {

struct ChannelOptions {
  int max_message_bytes = kMessageBytesMax;
  // Null: without TLS.
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::string server_name;  // Of TlsFiles.
};

// A channel to "unix:/path" or "host:port". Connects on first use and again whenever the
// connection is lost: at once, then with back-off of 20 to 500 ms on Unix sockets, where a server
// that restarts is back within milliseconds, and of 100 ms to 5 s elsewhere. Never uses a proxy.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const ChannelOptions& options = {});

}  // namespace slipway::rpc
