#include "services/models/rpc/generate_reactor.h"

#include <utility>

#include "lib/log/context.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/status.h"

namespace slipway::models {

GenerateReactor::GenerateReactor(const grpc::CallbackServerContext& context,
                                 const v1::GenerateRequest& request)
    : request_(request),
      record_(rpc::RpcName<v1::GenerateRequest>(), rpc::CallOf(context, nullptr),
              rpc::CallRecord::Kind::kStream) {}

GenerateReactor* GenerateReactor::Start(base::Executor& executor, ModelsHandlers& handlers,
                                        const grpc::CallbackServerContext& context,
                                        const v1::GenerateRequest& request) {
  const std::shared_ptr<GenerateReactor> reactor(new GenerateReactor(context, request));
  reactor->self_ = reactor;
  const absl::Status queued = executor.TryRun([reactor, &handlers] {
    const log::ScopedContext log_context({.request_id = reactor->record_.call().request_id()});
    handlers.Generate(reactor->request_, *reactor, reactor->cancellation_,
                      [reactor](const absl::StatusOr<v1::GenerateResponse::Outcome>& outcome) {
                        reactor->EndWith(outcome);
                      });
  });
  if (!queued.ok()) reactor->End(queued);
  return reactor.get();
}

void GenerateReactor::EndWith(const absl::StatusOr<v1::GenerateResponse::Outcome>& outcome) {
  if (outcome.ok()) {
    v1::GenerateResponse response;
    *response.mutable_outcome() = *outcome;
    Push(std::move(response));
  }
  End(outcome.status());
}

void GenerateReactor::OnText(absl::string_view text) {
  v1::GenerateResponse response;
  response.set_text(std::string(text));
  Push(std::move(response));
}

void GenerateReactor::Push(v1::GenerateResponse response) {
  {
    base::MutexLock lock(mutex_);
    if (broken_) return;
    if (writing_) return queue_.push_back(std::move(response));
    writing_ = true;
    current_ = std::move(response);
  }
  StartWrite(&current_);
}

void GenerateReactor::OnWriteDone(bool ok) {
  std::optional<absl::Status> end;
  {
    base::MutexLock lock(mutex_);
    if (!ok) {
      broken_ = true;
      queue_.clear();
    }
    writing_ = !queue_.empty();
    if (writing_) {
      current_ = std::move(queue_.front());
      queue_.pop_front();
    } else if (end_.has_value()) {
      end = end_;
    } else {
      return;
    }
  }
  // Only one of writer, job and this function is beyond its lock with something to do.
  if (!end.has_value()) return StartWrite(&current_);
  record_.Finish(*end);
  Finish(rpc::ToGrpcStatus(*end, record_.call().request_id()));
}

void GenerateReactor::End(const absl::Status& status) {
  {
    base::MutexLock lock(mutex_);
    end_ = status;
    if (writing_) return;
  }
  record_.Finish(status);
  Finish(rpc::ToGrpcStatus(status, record_.call().request_id()));
}

}  // namespace slipway::models
