#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "lib/base/executor.h"
#include "lib/base/mutex.h"
#include "lib/rpc/call_record.h"
#include "services/models/domain/cancellation.h"
#include "services/models/domain/reply_sink.h"
#include "services/models/rpc/models_handlers.h"
#include "slipway/models/v1/models_service.pb.h"

namespace slipway::models {

// One Generate stream: a call queues its text, writes follow at the client's pace. What waits is
// bounded by the size of a reply. Holds itself until gRPC and the call are done.
class GenerateReactor final : public grpc::ServerWriteReactor<v1::GenerateResponse>,
                              public ReplySink,
                              public std::enable_shared_from_this<GenerateReactor> {
 public:
  static GenerateReactor* Start(base::Executor& executor, ModelsHandlers& handlers,
                                const grpc::CallbackServerContext& context,
                                const v1::GenerateRequest& request);

  void OnGranted(const std::string&, int64_t) override {}
  void OnText(absl::string_view text) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override { cancellation_.Cancel("CALLER_GONE"); }
  void OnDone() override { self_.reset(); }

 private:
  GenerateReactor(const grpc::CallbackServerContext& context, const v1::GenerateRequest& request);

  void Push(v1::GenerateResponse response);
  void EndWith(const absl::StatusOr<v1::GenerateResponse::Outcome>& outcome);
  void End(const absl::Status& status);

  const v1::GenerateRequest request_;
  rpc::CallRecord record_;
  Cancellation cancellation_;
  std::shared_ptr<GenerateReactor> self_;

  base::Mutex mutex_;
  std::deque<v1::GenerateResponse> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  v1::GenerateResponse current_;  // Of the write in flight.
};

}  // namespace slipway::models
