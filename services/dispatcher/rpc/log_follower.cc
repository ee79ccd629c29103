#include "services/dispatcher/rpc/log_follower.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/rpc/status.h"
#include "services/dispatcher/rpc/service_identity.h"

namespace slipway::dispatcher {
namespace {

constexpr absl::Duration kReconnectInterval = absl::Milliseconds(500);

}  // namespace

LogFollower::LogFollower(const std::shared_ptr<grpc::Channel>& channel, Options options)
    : stub_(events::v1::EventLogService::NewStub(channel)),
      options_(std::move(options)),
      cursor_(options_.cursor),
      thread_([this] { Loop(); }) {}

void LogFollower::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void LogFollower::Loop() {
  bool lost = false;
  while (true) {
    grpc::ClientContext context;
    {
      base::MutexLock lock(mutex_);
      if (stopping_) return;
      context_ = &context;
    }
    const absl::Status status = Follow(context);
    base::MutexLock lock(mutex_);
    context_ = nullptr;
    if (stopping_) return;
    if (absl::StartsWith(base::ReasonOf(status), "RESUME_TOKEN_")) cursor_.clear();
    // Once, not with every try.
    if (!status.ok() && !lost) {
      log::Warning("a log cannot be followed",
                   {{"service", options_.service}, {"error", status.ToString()}});
    }
    lost = !status.ok();
    changed_.WaitFor(mutex_, kReconnectInterval);
  }
}

absl::Status LogFollower::Follow(grpc::ClientContext& context) {
  RETURN_IF_ERROR(rpc::PrepareContext(AsDispatcher(absl::InfiniteDuration()), context));
  events::v1::WatchRequest request;
  request.set_resume_token(cursor_);
  for (const std::string& kind : options_.kinds) request.mutable_filter()->add_kinds(kind);
  const auto stream = stub_->Watch(&context, request);
  events::v1::WatchResponse response;
  while (stream->Read(&response)) {
    // A bookmark alone is not worth a commit: going on from before it reads nothing twice.
    if (response.events().empty()) continue;
    cursor_ = response.resume_token();
    options_.apply(response);
  }
  return rpc::FromGrpcStatus(stream->Finish());
}

}  // namespace slipway::dispatcher
