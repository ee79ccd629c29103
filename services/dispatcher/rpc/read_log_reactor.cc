#include "services/dispatcher/rpc/read_log_reactor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/status.h"
#include "services/dispatcher/domain/errors.h"

namespace slipway::dispatcher {
namespace {

// A response has at most this many bytes; every byte that is not UTF-8 becomes three.
constexpr size_t kReadBytesMax = 20 << 10;
constexpr size_t kResponseBytesMax = 64 << 10;

// How long after it was written a follower sees a line.
constexpr absl::Duration kFollowInterval = absl::Milliseconds(100);

// How much of `data` to take so that no character is cut, unless it is not one.
size_t WholeCharacters(absl::string_view data, bool more_follows) {
  if (!more_follows) return data.size();
  for (size_t back = 1; back <= 3 && back < data.size(); ++back) {
    const auto byte = static_cast<unsigned char>(data[data.size() - back]);
    if (byte < 0x80) break;
    if (byte < 0xC0) continue;
    const bool whole = base::Utf8SequenceLength(data.substr(data.size() - back)) == back;
    return whole ? data.size() : data.size() - back;
  }
  return data.size();
}

}  // namespace

ReadLogReactor* ReadLogReactor::Start(Host& host, const grpc::CallbackServerContext& context,
                                      const v1::ReadLogRequest& request) {
  std::shared_ptr<ReadLogReactor> reactor(new ReadLogReactor(host, context, request));
  reactor->self_ = reactor;
  reactor->Advance();
  return reactor.get();
}

ReadLogReactor::ReadLogReactor(Host& host, const grpc::CallbackServerContext& context,
                               const v1::ReadLogRequest& request)
    : host_(host),
      request_(request),
      record_(rpc::RpcName<v1::ReadLogRequest>(), rpc::CallOf(context, cancelled_),
              rpc::CallRecord::Kind::kStream) {}

void ReadLogReactor::OnWriteDone(bool ok) {
  writes_.load(std::memory_order_acquire);
  if (!ok) return End(absl::CancelledError("the caller is gone"));
  Advance();
}

void ReadLogReactor::OnDone() {
  std::unique_ptr<base::Timer> timer;
  {
    base::MutexLock lock(timer_mutex_);
    timer = std::move(timer_);
  }
  timer.reset();
  self_.reset();
}

void ReadLogReactor::Advance() {
  const absl::Status queued = host_.executor.TryRun([self = shared_from_this()] { self->Step(); });
  if (!queued.ok()) End(queued);
}

absl::Status ReadLogReactor::Begin() {
  ASSIGN_OR_RETURN(attempt_, ParseAttemptKey(request_.attempt()));
  ASSIGN_OR_RETURN(const std::optional<Attempt> attempt, host_.store.FindAttempt(attempt_));
  if (!attempt.has_value()) return AttemptUnknown(request_.attempt());
  offset_ = request_.offset();
  return absl::OkStatus();
}

void ReadLogReactor::Step() {
  if (cancelled_->load()) return End(absl::CancelledError("the caller is gone"));
  if (!begun_) {
    if (const absl::Status begun = Begin(); !begun.ok()) return End(begun);
    begun_ = true;
  }
  // Asked before reading, so that what an attempt wrote last is read.
  const absl::StatusOr<std::optional<Attempt>> attempt = host_.store.FindAttempt(attempt_);
  if (!attempt.ok()) return End(attempt.status());
  const bool may_grow = attempt->has_value() && IsLive((*attempt)->state);
  absl::StatusOr<LogPiece> piece = host_.logs.Read(attempt_, offset_, kReadBytesMax);
  if (!piece.ok()) return End(piece.status());
  response_.Clear();
  if (piece->loss != LogLoss::kNone) return SendLoss(*piece);
  std::string& data = piece->data;
  data.resize(WholeCharacters(data, may_grow || data.size() == kReadBytesMax));
  if (data.empty()) {
    if (!request_.follow() || !may_grow) return End(absl::OkStatus());
    if (host_.stopping) return End(ShuttingDown());
    return Park();
  }
  ends_line_ = data.back() == '\n';
  offset_ += static_cast<int64_t>(data.size());
  response_.set_data(base::ToUtf8(data, kResponseBytesMax));
  response_.set_next_offset(offset_);
  Write();
}

void ReadLogReactor::SendLoss(const LogPiece& lost) {
  offset_ = lost.next_offset;
  response_.set_data(
      absl::StrCat(ends_line_ ? "" : "\n", LossMarker(lost.loss, lost.lost_bytes), "\n"));
  response_.set_next_offset(offset_);
  response_.set_lost_bytes(lost.lost_bytes);
  response_.set_loss(static_cast<v1::ReadLogResponse::Loss>(lost.loss));
  ends_line_ = true;
  Write();
}

void ReadLogReactor::Write() {
  writes_.fetch_add(1, std::memory_order_release);
  StartWrite(&response_);
}

void ReadLogReactor::Park() {
  std::unique_ptr<base::Timer> timer =
      host_.clock.RunAfter(kFollowInterval, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->Advance();
      });
  base::MutexLock lock(timer_mutex_);
  std::swap(timer_, timer);
}

void ReadLogReactor::End(const absl::Status& status) {
  record_.Finish(status);
  Finish(rpc::ToGrpcStatus(status));
}

}  // namespace slipway::dispatcher
