#include "lib/rpc/unary_reactor.h"

#include "lib/rpc/metadata.h"
#include "lib/rpc/status.h"

namespace slipway::rpc {

UnaryReactor::UnaryReactor(const grpc::CallbackServerContext& context, const std::string& rpc)
    : context_(context), record_(rpc, CallOf(context, cancelled_)) {}

bool UnaryReactor::FinishIfCancelled() {
  if (!context_.IsCancelled()) return false;
  Answer(absl::CancelledError("the caller went away before its request was served"));
  return true;
}

void UnaryReactor::Answer(const absl::Status& status) {
  record_.Finish(status);
  Finish(ToGrpcStatus(status, call().request_id()));
}

}  // namespace slipway::rpc
