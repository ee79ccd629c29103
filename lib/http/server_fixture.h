#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/http/client.h"
#include "lib/http/raw_peer.h"
#include "lib/http/server.h"
#include "lib/testkit/matchers.h"

namespace slipway::http {

using Writer = std::shared_ptr<ResponseWriter>;

// A server on a free port and a client.
class ServerTest : public ::testing::Test {
 protected:
  void Start(Router router, ServerLimits limits = {}) {
    server_ = Server::Start({.address = "127.0.0.1:0",
                             .threads = 2,
                             .limits = limits,
                             .drain_timeout = absl::Milliseconds(200)},
                            std::move(router))
                  .value();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", server_->port()); }
  std::string Url(absl::string_view path) const { return absl::StrCat("http://", address(), path); }
  // The reply to `bytes` and everything up to the end of the connection.
  std::string Exchange(absl::string_view bytes) {
    RawPeer peer(address());
    peer.Send(bytes);
    return peer.ReadAll();
  }

  std::unique_ptr<Server> server_;
  Client client_;
};

}  // namespace slipway::http
