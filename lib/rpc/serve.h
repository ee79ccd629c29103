#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/executor.h"
#include "lib/base/reply.h"
#include "lib/log/context.h"
#include "lib/rpc/call.h"
#include "lib/rpc/call_record.h"
#include "lib/rpc/unary_reactor.h"

// One binding line per RPC of a callback service:
//   return rpc::ServeUnary(executor_, context, request, response, &handlers_,
//                          &LedgerHandlers::ListEntries);
// Both count the RPC, log it when it fails or is slow, set the log context, and skip an RPC whose
// caller went away. The handlers must outlive the server; the executor's jobs must have ended
// before the handlers go.
namespace slipway::rpc {

// Runs `absl::StatusOr<Response> method(const Call&, const Request&)` on `executor`, where it may
// block, and answers with its result. A full executor refuses the RPC.
template <typename Handlers, typename Request, typename Response, typename Method>
grpc::ServerUnaryReactor* ServeUnary(base::Executor& executor, grpc::CallbackServerContext* context,
                                     const Request* request, Response* response, Handlers* handlers,
                                     Method method) {
  auto* reactor = new UnaryReactor(*context, RpcName<Request>());
  // gRPC keeps context, request and response until the RPC is finished.
  const absl::Status queued = executor.TryRun([reactor, request, response, handlers, method] {
    if (reactor->FinishIfCancelled()) return;
    const log::ScopedContext log_context({.request_id = reactor->call().request_id()});
    absl::StatusOr<Response> result = std::invoke(method, *handlers, reactor->call(), *request);
    if (result.ok()) *response = *std::move(result);
    reactor->Answer(result.status());
  });
  if (!queued.ok()) reactor->Answer(queued);
  return reactor;
}

// Calls `void method(const Call&, const Request&, base::Reply<Response>)` on gRPC's own thread: it
// must not block, and answers through the reply, from any thread, when it is ready. `Call` and
// `Request` are good until then; a job that may outlive the reply takes copies.
template <typename Handlers, typename Request, typename Response, typename Method>
grpc::ServerUnaryReactor* ServeAsync(grpc::CallbackServerContext* context, const Request* request,
                                     Response* response, Handlers* handlers, Method method) {
  auto* reactor = new UnaryReactor(*context, RpcName<Request>());
  if (reactor->FinishIfCancelled()) return reactor;
  const log::ScopedContext log_context({.request_id = reactor->call().request_id()});
  std::invoke(method, *handlers, reactor->call(), *request,
              base::Reply<Response>([reactor, response](absl::StatusOr<Response> result) {
                if (result.ok()) *response = *std::move(result);
                reactor->Answer(result.status());
              }));
  return reactor;
}

}  // namespace slipway::rpc
