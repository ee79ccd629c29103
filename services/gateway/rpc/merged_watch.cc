#include "services/gateway/rpc/merged_watch.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/events/errors.h"
#include "lib/events/limits.h"
#include "lib/log/context.h"
#include "lib/log/log.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/status.h"

namespace slipway::gateway {
namespace {

using events::v1::WatchRequest;
using events::v1::WatchResponse;
using Place = MergedPosition::Place;

// Logs of services that run answer within milliseconds; the first response waits so long for them.
constexpr absl::Duration kPatience = absl::Seconds(1);
constexpr absl::Duration kBackOffFirst = absl::Milliseconds(100);
constexpr absl::Duration kBackOffMax = absl::Seconds(5);

// The caller has to change something; trying again is of no use.
bool IsForTheCaller(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status);
}

std::tuple<int64_t, int32_t> TimeOfFirst(const WatchResponse& response) {
  const auto& time = response.events(0).append_time();
  return {time.seconds(), time.nanos()};
}

}  // namespace

MergedWatch* MergedWatch::Start(std::shared_ptr<MergedLogs> logs,
                                const grpc::CallbackServerContext& context,
                                const WatchRequest& request) {
  std::shared_ptr<MergedWatch> watch(new MergedWatch(std::move(logs), context, request));
  watch->self_ = watch;
  watch->Begin();
  return watch.get();
}

MergedWatch::MergedWatch(std::shared_ptr<MergedLogs> logs,
                         const grpc::CallbackServerContext& context, const WatchRequest& request)
    : logs_(std::move(logs)),
      request_(request),
      record_(rpc::RpcName<WatchRequest>(), rpc::CallOf(context, cancelled_),
              rpc::CallRecord::Kind::kStream) {
  ++logs_->streams;
}

MergedWatch::~MergedWatch() { --logs_->streams; }

void MergedWatch::Begin() {
  stop_ = logs_->OnStop([weak = weak_from_this()] {
    if (const std::shared_ptr<MergedWatch> self = weak.lock()) self->Drive();
  });
  const absl::Status prepared = Prepare();
  if (prepared.ok()) {
    std::vector<std::string> logs;
    {
      base::MutexLock lock(mutex_);
      for (const auto& [log, source] : sources_) logs.push_back(log);
    }
    for (const std::string& log : logs) Connect(log);
    ArmTick(kPatience);
  } else {
    base::MutexLock lock(mutex_);
    end_ = prepared;
  }
  Drive();
}

absl::Status MergedWatch::Prepare() {
  ASSIGN_OR_RETURN(const std::set<std::string> selected, logs_->Selected(request_.filter()));
  base::MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(position_, DecodePosition(request_.resume_token(), logs_->names()));
  for (const auto& [log, place] : position_.places) {
    if (place.kind == Place::Kind::kEnd) return events::ResumeTokenInvalid();
  }
  for (const std::string& log : selected) {
    sources_[log];
    if (request_.only_new() && request_.resume_token().empty()) {
      position_.places[log].kind = Place::Kind::kNow;
    }
  }
  return absl::OkStatus();
}

void MergedWatch::Connect(const std::string& log) {
  WatchRequest request;
  *request.mutable_filter() = request_.filter();
  request.mutable_filter()->clear_logs();
  std::shared_ptr<LogFollower> follower;
  {
    base::MutexLock lock(mutex_);
    if (finished_) return;
    const auto place = position_.places.find(log);
    if (place != position_.places.end()) {
      request.set_resume_token(place->second.token);
      request.set_only_new(place->second.kind == Place::Kind::kNow);
    }
    follower = LogFollower::Make(
        request,
        {.on_response = [self = shared_from_this(), log](
                            WatchResponse response) { self->OnResponse(log, std::move(response)); },
         .on_end = [self = shared_from_this(),
                    log](const grpc::Status& status) { self->OnEnd(log, status); }});
    sources_[log].follower = follower;
  }
  follower->Begin(logs_->stub(log), record_.call());
}

void MergedWatch::OnResponse(const std::string& log, WatchResponse response) {
  std::shared_ptr<LogFollower> unwanted;
  {
    base::MutexLock lock(mutex_);
    Source& source = sources_[log];
    source.settled = true;
    source.lagging = false;
    source.back_off = absl::ZeroDuration();
    if (finished_) {
      unwanted = source.follower;
    } else {
      source.waiting = std::move(response);
    }
  }
  if (unwanted != nullptr) unwanted->Cancel();
  Drive();
}

// Timers are destroyed under no lock: their calls may be waiting for it.
void MergedWatch::OnEnd(const std::string& log, const grpc::Status& status) {
  const absl::Status error = rpc::FromGrpcStatus(status);
  std::shared_ptr<LogFollower> ended;
  std::unique_ptr<base::Timer> spent;
  {
    base::MutexLock lock(mutex_);
    Source& source = sources_[log];
    ended = std::move(source.follower);
    if (finished_) return;
    if (IsForTheCaller(error)) {
      if (!end_.has_value()) end_ = OfLog(error, log);
    } else {
      if (!source.lagging) {
        log::Info("a log cannot be read", {{"log", log}, {"error", error.message()}});
      }
      source.settled = true;
      source.lagging = true;
      source.back_off = std::clamp(source.back_off * 2, kBackOffFirst, kBackOffMax);
      spent = std::exchange(
          source.retry, logs_->clock().RunAfter(source.back_off, [weak = weak_from_this(), log] {
            if (const std::shared_ptr<MergedWatch> self = weak.lock()) self->Connect(log);
          }));
    }
  }
  Drive();
}

void MergedWatch::OnTick() {
  absl::Duration delay = events::kBookmarkInterval;
  {
    base::MutexLock lock(mutex_);
    if (finished_) return;
    patience_over_ = true;
    if (last_sent_.has_value()) {
      const absl::Duration left = *last_sent_ + delay - logs_->clock().Elapsed();
      if (left > absl::ZeroDuration()) delay = left;
    }
  }
  Drive();
  ArmTick(delay);
}

void MergedWatch::ArmTick(absl::Duration delay) {
  std::unique_ptr<base::Timer> timer = logs_->clock().RunAfter(delay, [weak = weak_from_this()] {
    if (const std::shared_ptr<MergedWatch> self = weak.lock()) self->OnTick();
  });
  base::MutexLock lock(mutex_);
  tick_.swap(timer);
}

void MergedWatch::OnWriteDone(bool ok) {
  {
    base::MutexLock lock(mutex_);
    writing_ = false;
    if (!ok && !end_.has_value()) end_ = absl::CancelledError("the caller went away");
  }
  Drive();
}

void MergedWatch::OnCancel() {
  cancelled_->store(true, std::memory_order_release);
  {
    base::MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = absl::CancelledError("the caller went away");
  }
  Drive();
}

void MergedWatch::Drive() {
  // Finishing may end this object's hold on itself.
  const std::shared_ptr<MergedWatch> self = shared_from_this();
  Actions actions;
  {
    base::MutexLock lock(mutex_);
    actions = Decide();
  }
  for (const std::shared_ptr<LogFollower>& follower : actions.next) follower->Next();
  for (const std::shared_ptr<LogFollower>& follower : actions.cancel) follower->Cancel();
  if (actions.write) StartWrite(&response_);
  if (!actions.finish.has_value()) return;
  record_.Finish(*actions.finish);
  Finish(rpc::ToGrpcStatus(*actions.finish, record_.call().request_id()));
}

MergedWatch::Actions MergedWatch::Decide() {
  Actions actions;
  if (finished_) return actions;
  if (logs_->stopping() && !end_.has_value()) end_ = events::ShuttingDown();
  TakeBookmarks(actions);
  if (writing_) return actions;
  if (end_.has_value()) {
    finished_ = true;
    actions.finish = end_;
    for (const auto& [log, source] : sources_) {
      if (source.follower != nullptr) actions.cancel.push_back(source.follower);
    }
    return actions;
  }
  response_.Clear();
  if (!TakeEvents(actions) && !BookmarkIsDue()) return actions;
  CompleteResponse();
  writing_ = true;
  actions.write = true;
  return actions;
}

void MergedWatch::TakeBookmarks(Actions& actions) {
  for (auto& [log, source] : sources_) {
    if (!source.waiting.has_value() || source.waiting->events_size() > 0) continue;
    position_.places[log] = {.kind = Place::Kind::kToken, .token = source.waiting->resume_token()};
    source.waiting.reset();
    actions.next.push_back(source.follower);
  }
}

// Of the logs with events the one whose events are the oldest, so that a replay of several logs
// comes about in order of time.
bool MergedWatch::TakeEvents(Actions& actions) {
  const std::string* oldest = nullptr;
  for (const auto& [log, source] : sources_) {
    if (!source.waiting.has_value()) continue;
    if (oldest == nullptr ||
        TimeOfFirst(*source.waiting) < TimeOfFirst(*sources_.at(*oldest).waiting)) {
      oldest = &log;
    }
  }
  if (oldest == nullptr) return false;
  Source& source = sources_.at(*oldest);
  position_.places[*oldest] = {.kind = Place::Kind::kToken,
                               .token = source.waiting->resume_token()};
  response_ = *std::move(source.waiting);
  source.waiting.reset();
  actions.next.push_back(source.follower);
  return true;
}

bool MergedWatch::BookmarkIsDue() const {
  if (!last_sent_.has_value()) {
    return patience_over_ || std::all_of(sources_.begin(), sources_.end(),
                                         [](const auto& entry) { return entry.second.settled; });
  }
  return LaggingLogs() != lagging_sent_ ||
         logs_->clock().Elapsed() - *last_sent_ >= events::kBookmarkInterval;
}

void MergedWatch::CompleteResponse() {
  response_.set_resume_token(EncodePosition(position_));
  lagging_sent_ = LaggingLogs();
  response_.clear_lagging_logs();
  for (const std::string& log : lagging_sent_) response_.add_lagging_logs(log);
  last_sent_ = logs_->clock().Elapsed();
}

std::set<std::string> MergedWatch::LaggingLogs() const {
  std::set<std::string> lagging;
  for (const auto& [log, source] : sources_) {
    if (source.lagging || (patience_over_ && !source.settled)) lagging.insert(log);
  }
  return lagging;
}

}  // namespace slipway::gateway
