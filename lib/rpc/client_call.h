#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/rpc/call.h"
#include "lib/rpc/status.h"

namespace slipway::rpc {

struct CallOptions {
  absl::Duration timeout = absl::Seconds(10);  // Of the whole call, retries included.
  std::string principal;
  std::string role;
  std::string request_id;       // Empty: that of the log context.
  bool wait_for_ready = false;  // Wait for a server that does not run yet instead of UNAVAILABLE.
};

// Puts `options` into `context`: for streams, which make their own. Fails with METADATA_INVALID
// when a value is too long or not printable ASCII.
absl::Status PrepareContext(const CallOptions& options, grpc::ClientContext& context);

// `call` with everything passed on: for a handler that calls another service for its caller.
CallOptions ForwardedOptions(const Call& call, absl::Duration timeout_max);

// Calls and waits:
//   CallUnary(*stub, &pb::Ledger::StubInterface::AppendEntry, request, {.timeout = ...})
template <typename Stub, typename Base, typename Request, typename Response>
absl::StatusOr<Response> CallUnary(
    Stub& stub, grpc::Status (Base::*method)(grpc::ClientContext*, const Request&, Response*),
    const std::type_identity_t<Request>& request, const CallOptions& options = {}) {
  grpc::ClientContext context;
  absl::Status status = PrepareContext(options, context);
  if (!status.ok()) return status;
  Response response;
  status = FromGrpcStatus((stub.*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

template <typename Response>
using ResultCallback = absl::AnyInvocable<void(absl::StatusOr<Response>) &&>;

// A call in flight. Dropping it lets the call go on.
class PendingCall final {
 public:
  explicit PendingCall(std::shared_ptr<grpc::ClientContext> context)
      : context_(std::move(context)) {}

  // The callback then gets CANCELLED, unless the answer was faster.
  void Cancel() {
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  std::shared_ptr<grpc::ClientContext> context_;
};

// Calls without waiting; `done` gets the result, once, on a thread of gRPC, and must not block:
//   CallUnaryAsync(*stub->async(), &pb::Ledger::StubInterface::async_interface::AppendEntry, ...)
template <typename Async, typename Base, typename Request, typename Response>
PendingCall CallUnaryAsync(Async& async,
                           void (Base::*method)(grpc::ClientContext*, const Request*, Response*,
                                                std::function<void(grpc::Status)>),
                           std::type_identity_t<Request> request, const CallOptions& options,
                           ResultCallback<std::type_identity_t<Response>> done) {
  struct State {
    Request request;
    Response response;
    ResultCallback<Response> done;
    std::shared_ptr<grpc::ClientContext> context = std::make_shared<grpc::ClientContext>();
  };
  auto state = std::make_shared<State>();
  state->request = std::move(request);
  state->done = std::move(done);
  const absl::Status prepared = PrepareContext(options, *state->context);
  if (!prepared.ok()) {
    std::move(state->done)(prepared);
    return PendingCall(nullptr);
  }
  PendingCall pending(state->context);
  (async.*method)(state->context.get(), &state->request, &state->response,
                  [state](const grpc::Status& status) {
                    if (status.ok()) return std::move(state->done)(std::move(state->response));
                    std::move(state->done)(FromGrpcStatus(status));
                  });
  return pending;
}

// Runs `attempt` until it returns anything but UNAVAILABLE or `timeout` is over, with back-off of
// 20 ms, doubling to 1 s, or what the error's retry_after asks. `attempt` gets the time that is
// left. Returns the last result, which is UNAVAILABLE when another attempt would come too late.
absl::Status RetryUnavailable(base::Clock& clock, absl::Duration timeout,
                              absl::FunctionRef<absl::Status(absl::Duration left)> attempt);

// CallUnary, again while the server is UNAVAILABLE and `options.timeout` lasts. Only for methods
// that are idempotent, as those with a request id are.
template <typename Stub, typename Base, typename Request, typename Response>
absl::StatusOr<Response> CallWithRetry(base::Clock& clock, Stub& stub,
                                       grpc::Status (Base::*method)(grpc::ClientContext*,
                                                                    const Request&, Response*),
                                       const std::type_identity_t<Request>& request,
                                       const CallOptions& options = {}) {
  absl::StatusOr<Response> result;
  const absl::Status status = RetryUnavailable(clock, options.timeout, [&](absl::Duration left) {
    CallOptions attempt = options;
    attempt.timeout = left;
    result = CallUnary(stub, method, request, attempt);
    return result.status();
  });
  if (!status.ok()) return status;
  return result;
}

}  // namespace slipway::rpc
