#include "lib/events/watch_reactor.h"

#include <algorithm>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/events/convert.h"
#include "lib/events/errors.h"
#include "lib/events/limits.h"
#include "lib/log/context.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/status.h"

namespace slipway::events {

WatchReactor* WatchReactor::Start(std::shared_ptr<Host> host,
                                  const grpc::CallbackServerContext& context,
                                  const v1::WatchRequest& request) {
  std::shared_ptr<WatchReactor> reactor(new WatchReactor(std::move(host), context, request));
  reactor->self_ = reactor;
  reactor->appends_ = reactor->host_->log.OnAppend([weak = std::weak_ptr<WatchReactor>(reactor)] {
    if (const std::shared_ptr<WatchReactor> self = weak.lock()) self->Wake();
  });
  reactor->Advance();
  return reactor.get();
}

WatchReactor::WatchReactor(std::shared_ptr<Host> host, const grpc::CallbackServerContext& context,
                           const v1::WatchRequest& request)
    : host_(std::move(host)),
      context_(context),
      request_(request),
      record_(rpc::RpcName<v1::WatchRequest>(), rpc::CallOf(context, cancelled_),
              rpc::CallRecord::Kind::kStream) {
  ++host_->streams;
}

WatchReactor::~WatchReactor() { --host_->streams; }

void WatchReactor::OnWriteDone(bool ok) {
  if (!ok) return End(absl::CancelledError("the caller went away"));
  Advance();
}

void WatchReactor::OnCancel() {
  cancelled_->store(true, std::memory_order_release);
  Wake();
}

// While another owner is busy it is told to look again before it parks.
void WatchReactor::Wake() {
  if (Exchange(State::kParked, State::kBusy, State::kBusyAndWoken)) Advance();
}

void WatchReactor::Advance() {
  const absl::Status queued = host_->executor.TryRun([self = shared_from_this()] { self->Step(); });
  if (!queued.ok()) End(queued);  // The caller resumes from its token.
}

void WatchReactor::Step() {
  const log::ScopedContext log_context({.request_id = record_.call().request_id()});
  // Before reading, so that no append is missed.
  Exchange(State::kBusy, State::kBusy, State::kBusy);
  if (context_.IsCancelled()) return End(absl::CancelledError("the caller went away"));
  if (host_->stopping) return End(ShuttingDown());
  if (!begun_) {
    if (const absl::Status status = Begin(); !status.ok()) return End(status);
    begun_ = true;
  }
  const absl::StatusOr<Page> page = host_->log.ReadAfter(cursor_, filter_, kBatchEventsMax);
  if (!page.ok()) return End(page.status());
  if (cursor_ != kFromOldest) skipped_ += page->next_cursor - cursor_;
  cursor_ = page->next_cursor;
  // The first response also tells that the stream is live. Short of the end, a page without events
  // has passed kScanMax of them.
  const bool bookmark_due = !last_sent_.has_value() || skipped_ >= kScanMax ||
                            host_->clock.Elapsed() - *last_sent_ >= kBookmarkInterval;
  if (!page->events.empty() || bookmark_due) return Send(*page);
  Park();
}

absl::Status WatchReactor::Begin() {
  ASSIGN_OR_RETURN(filter_, FilterFromProto(host_->log.name(), request_.filter()));
  if (!request_.resume_token().empty()) {
    ASSIGN_OR_RETURN(cursor_, host_->log.DecodeToken(request_.resume_token()));
  } else if (request_.only_new()) {
    ASSIGN_OR_RETURN(cursor_, host_->log.Latest());
  } else {
    cursor_ = kFromOldest;
  }
  return absl::OkStatus();
}

void WatchReactor::Send(const Page& page) {
  response_.Clear();
  for (const Event& event : page.events) {
    *response_.add_events() = EventToProto(host_->log.name(), event);
  }
  response_.set_resume_token(host_->log.EncodeToken(cursor_));
  skipped_ = 0;
  last_sent_ = host_->clock.Elapsed();
  // Changes nothing but what can be seen: that the thread which goes on after the write comes after
  // this one. gRPC orders the two, too, yet a race detector does not see into it.
  Exchange(State::kBusy, State::kBusy, State::kBusyAndWoken);
  StartWrite(&response_);  // The write owns the stream from here on.
}

void WatchReactor::Park() {
  ArmTimer();
  if (!Exchange(State::kBusy, State::kParked, State::kBusy)) Advance();
}

// At most one timer in each interval, however many events pass.
void WatchReactor::ArmTimer() {
  if (timer_ != nullptr && !timer_fired_.exchange(false)) return;
  const absl::Duration idle = host_->clock.Elapsed() - last_sent_.value_or(absl::ZeroDuration());
  timer_ = host_->clock.RunAfter(std::max(kBookmarkInterval - idle, absl::ZeroDuration()),
                                 [weak = weak_from_this()] {
                                   const std::shared_ptr<WatchReactor> self = weak.lock();
                                   if (self == nullptr) return;
                                   self->timer_fired_ = true;
                                   self->Wake();
                                 });
}

// Leaves the state busy, so that nobody becomes the owner again.
void WatchReactor::End(const absl::Status& status) {
  record_.Finish(status);
  Finish(rpc::ToGrpcStatus(status, record_.call().request_id()));
}

bool WatchReactor::Exchange(State from, State to, State otherwise) {
  base::MutexLock lock(mutex_);
  const bool was = state_ == from;
  state_ = was ? to : otherwise;
  return was;
}

}  // namespace slipway::events
