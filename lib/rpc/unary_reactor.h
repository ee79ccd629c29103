#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "lib/rpc/call_record.h"

namespace slipway::rpc {

// The reactor behind ServeUnary and ServeAsync. Owns itself until gRPC is done with it. Unlike
// gRPC's default reactor it hands out a Call whose cancellation can be asked after the RPC ended.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  UnaryReactor(const grpc::CallbackServerContext& context, const std::string& rpc);

  const Call& call() const { return record_.call(); }

  // True when the caller is gone already: the RPC is then finished and work on it would be wasted.
  bool FinishIfCancelled();

  // Finishes the RPC, once; the reactor and gRPC's request and response are gone thereafter.
  void Answer(const absl::Status& status);

 private:
  void OnCancel() override { cancelled_->store(true, std::memory_order_release); }
  void OnDone() override { delete this; }

  const grpc::CallbackServerContext& context_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  CallRecord record_;
};

}  // namespace slipway::rpc
