#pragma once

#include <type_traits>

#include "lib/rpc/serve.h"

// One line per RPC of a class derived from a generated CallbackService, each of which overrides the
// generated method with one that calls the method of the same name of the `handlers`:
//
//   class Service final : public v1::PlannerService::CallbackService {
//    public:
//     SLIPWAY_UNARY(v1, GetPlan, executor_, handlers_)
//     SLIPWAY_ASYNC(v1, CreatePlan, handlers_)
//
// `package` is the namespace of the messages. Such a class belongs into a .cc file: whoever sees
// its inline methods compiles all of gRPC's handlers for them once more.

// By rpc::ServeUnary on `executor`.
#define SLIPWAY_UNARY(package, method, executor, handlers)                           \
  grpc::ServerUnaryReactor* method(grpc::CallbackServerContext* context,             \
                                   const package::method##Request* request,          \
                                   package::method##Response* response) override {   \
    using Handlers = std::remove_reference_t<decltype(handlers)>;                    \
    return slipway::rpc::ServeUnary(executor, context, request, response, &handlers, \
                                    &Handlers::method);                              \
  }

// By rpc::ServeAsync.
#define SLIPWAY_ASYNC(package, method, handlers)                                               \
  grpc::ServerUnaryReactor* method(grpc::CallbackServerContext* context,                       \
                                   const package::method##Request* request,                    \
                                   package::method##Response* response) override {             \
    using Handlers = std::remove_reference_t<decltype(handlers)>;                              \
    return slipway::rpc::ServeAsync(context, request, response, &handlers, &Handlers::method); \
  }
