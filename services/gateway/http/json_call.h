#pragma once

#include <memory>

#include "lib/http/headers.h"
#include "lib/http/request.h"
#include "lib/http/response_writer.h"
#include "services/gateway/rpc/gatekeeper.h"
#include "services/gateway/rpc/method_table.h"

namespace slipway::gateway {

// Answers a unary method asked for in JSON, as the Connect protocol does:
//   POST /slipway.planner.v1.PlannerService/GetPlan   {"name":"projects/p/plans/n"}
// Does not block. `headers` go with the answer. The collaborators must outlive the call.
void ServeJsonCall(Gatekeeper& gatekeeper, const MethodTable& methods, const http::Request& request,
                   std::shared_ptr<http::ResponseWriter> writer, http::Headers headers);

}  // namespace slipway::gateway
