#pragma once

#include <string>
#include <vector>

#include "lib/base/executor.h"
#include "lib/http/router.h"
#include "services/gateway/domain/tickets.h"
#include "services/gateway/domain/tokens.h"
#include "services/gateway/rpc/gatekeeper.h"
#include "services/gateway/rpc/method_table.h"

namespace slipway::gateway {

// What people and programs without gRPC get over HTTP:
//   POST /slipway.<area>.v1.<Service>/<Method>  unary methods in JSON, the Connect protocol
//   GET  /v1/events    the merged log as server-sent events
//   POST /v1/tickets   a short-lived ticket for the URL of an EventSource
//   POST /v1/login     trades a one-time token for a lasting one and a session cookie
//   POST /v1/logout    forgets the cookie
//   GET  /             a page
//   GET  /healthz
// Every request must name this host, and a browser's come from an origin that is allowed.
struct FrontOptions {
  Gatekeeper& gatekeeper;
  const MethodTable& methods;
  Tokens& tokens;
  Tickets& tickets;
  base::Executor& executor;  // For what blocks on disk.
  std::vector<std::string> allowed_origins;
};

// The collaborators must outlive the server that serves the router.
http::Router MakeFront(const FrontOptions& options);

}  // namespace slipway::gateway
