#include "cli/client/event_stream.h"

#include <algorithm>
#include <utility>

namespace slipway::cli {
namespace {

constexpr absl::Duration kFirstBackOff = absl::Milliseconds(50);
constexpr absl::Duration kBackOffMax = absl::Seconds(2);

bool PassesByItself(const absl::Status& status) {
  return status.ok() || status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kCancelled ||
         status.code() == absl::StatusCode::kDeadlineExceeded ||
         status.code() == absl::StatusCode::kInternal;
}

}  // namespace

EventStream::EventStream(Connection& connection, Options options)
    : connection_(connection),
      options_(std::move(options)),
      read_token_(options_.resume_token),
      returned_token_(options_.resume_token),
      thread_([this] { Follow(); }) {}

EventStream::~EventStream() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.NotifyAll();
  }
  thread_.join();
}

absl::StatusOr<std::vector<events::v1::Event>> EventStream::Next(absl::Duration timeout) {
  base::MutexLock lock(mutex_);
  if (pending_.empty() && failure_.ok()) changed_.WaitFor(mutex_, timeout);
  if (pending_.empty()) {
    if (!failure_.ok()) return failure_;
    return std::vector<events::v1::Event>();
  }
  events::v1::WatchResponse response = std::move(pending_.front());
  pending_.pop_front();
  pending_events_ -= static_cast<size_t>(response.events_size());
  returned_token_ = response.resume_token();
  changed_.NotifyAll();
  return std::vector<events::v1::Event>(response.events().begin(), response.events().end());
}

std::string EventStream::resume_token() const {
  base::MutexLock lock(mutex_);
  return returned_token_;
}

void EventStream::Follow() {
  absl::Duration back_off = kFirstBackOff;
  while (true) {
    std::string before;
    {
      base::MutexLock lock(mutex_);
      before = read_token_;
    }
    const absl::Status status = ReadOnce();
    {
      base::MutexLock lock(mutex_);
      if (stopping_) return;
      if (!PassesByItself(status)) {
        failure_ = status;
        changed_.NotifyAll();
        return;
      }
      if (read_token_ != before) back_off = kFirstBackOff;
    }
    if (!WaitBeforeReconnect(back_off)) return;
    back_off = std::min(back_off * 2, kBackOffMax);
  }
}

absl::Status EventStream::ReadOnce() {
  grpc::ClientContext context;
  connection_.Prepare(context);
  events::v1::WatchRequest request;
  *request.mutable_filter() = options_.filter;
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return absl::OkStatus();
    request.set_resume_token(read_token_);
    request.set_only_new(options_.only_new && read_token_.empty());
    context_ = &context;
  }
  const auto reader = connection_.events().Watch(&context, request);
  const absl::Status status = connection_.Read<events::v1::WatchResponse>(
      context, *reader, [this](events::v1::WatchResponse& response) { return Add(response); });
  base::MutexLock lock(mutex_);
  context_ = nullptr;
  return status;
}

bool EventStream::Add(events::v1::WatchResponse& response) {
  base::MutexLock lock(mutex_);
  while (!stopping_ && pending_events_ >= kEventsMax) changed_.Wait(mutex_);
  if (stopping_) return false;
  read_token_ = response.resume_token();
  if (response.events_size() == 0 && pending_.empty()) {
    returned_token_ = read_token_;
    return true;
  }
  pending_events_ += static_cast<size_t>(response.events_size());
  pending_.push_back(std::move(response));
  response.Clear();
  changed_.NotifyAll();
  return true;
}

// False when the stream is to stop.
bool EventStream::WaitBeforeReconnect(absl::Duration delay) {
  base::MutexLock lock(mutex_);
  if (!stopping_) changed_.WaitFor(mutex_, delay);
  return !stopping_;
}

}  // namespace slipway::cli
