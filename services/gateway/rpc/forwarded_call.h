#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <memory>

#include "lib/base/mutex.h"
#include "services/gateway/rpc/gatekeeper.h"

namespace slipway::gateway {

// One call on its way through: two loops that each carry one message at a time, so a slow side
// slows the other. The loop of requests reads from the caller and writes to the backend; the loop
// of responses the reverse. Each holds the backend's side open while it may still start something
// there. The call ends when the backend's status is known, and only then is the caller answered;
// a caller that goes away cancels the backend's side, which then ends.
//
// All operations start from reactions, where gRPC defers further reactions, so they may start
// under the mutex. Deletes itself.
class ForwardedCall final {
 public:
  static grpc::ServerGenericBidiReactor* Start(Gatekeeper& gatekeeper,
                                               std::unique_ptr<Admission> admission,
                                               grpc::GenericCallbackServerContext& context);

 private:
  class CallerSide final : public grpc::ServerGenericBidiReactor {
   public:
    explicit CallerSide(ForwardedCall& call) : call_(call) {}
    void OnReadDone(bool ok) override { call_.OnRequest(ok); }
    void OnWriteDone(bool ok) override { call_.OnResponsePassed(ok); }
    void OnCancel() override { call_.admission_->call->context.TryCancel(); }
    void OnDone() override { call_.OnSideDone(); }

   private:
    ForwardedCall& call_;
  };

  class BackendSide final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit BackendSide(ForwardedCall& call) : call_(call) {}
    void OnReadDone(bool ok) override { call_.OnResponse(ok); }
    void OnWriteDone(bool ok) override { call_.OnRequestPassed(ok); }
    void OnWritesDoneDone(bool) override { call_.OnRequestPassed(false); }
    void OnDone(const grpc::Status& status) override { call_.OnBackendDone(status); }

   private:
    ForwardedCall& call_;
  };

  // Who has the request loop: the caller, the backend, or nobody any more.
  enum class Requests { kReading, kPassing, kEnded };

  ForwardedCall(Gatekeeper& gatekeeper, std::unique_ptr<Admission> admission,
                grpc::GenericCallbackServerContext& context);

  void OnRequest(bool ok);
  void OnRequestPassed(bool ok);
  void OnResponse(bool ok);
  void OnResponsePassed(bool ok);
  void OnBackendDone(const grpc::Status& status);
  void OnSideDone();

  Gatekeeper& gatekeeper_;
  const std::unique_ptr<Admission> admission_;
  grpc::GenericCallbackServerContext& context_;
  grpc::GenericStub stub_;
  CallerSide caller_{*this};
  BackendSide backend_{*this};
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;

  base::Mutex mutex_;
  Requests requests_ ABSL_GUARDED_BY(mutex_) = Requests::kReading;
  bool responses_ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<int> sides_ = 2;
};

}  // namespace slipway::gateway
