#include "services/dispatcher/rpc/session_reactor.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/rpc/status.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/rpc/agent_convert.h"
#include "services/dispatcher/rpc/agent_token.h"

namespace slipway::dispatcher {
namespace {

// Orders that wait for a slow agent: it gets a few a second at most.
constexpr size_t kOrdersMax = 256;
constexpr size_t kLogChunkBytesMax = 64 << 10;

}  // namespace

SessionReactor* SessionReactor::Start(Host& host, const grpc::CallbackServerContext& context) {
  std::shared_ptr<SessionReactor> reactor(
      new SessionReactor(host, IdentityOf(context, host.tokens)));
  reactor->self_ = reactor;
  if (reactor->identity_.has_value()) {
    reactor->StartRead(&reactor->request_);
  } else {
    reactor->End(TokenInvalid());
  }
  return reactor.get();
}

void SessionReactor::Send(AgentOrder order) {
  const bool last = std::holds_alternative<Goodbye>(order);
  bool full = false;
  {
    base::MutexLock lock(mutex_);
    if (finished_ || ending_.has_value()) return;
    if (const auto* offer = std::get_if<GrantOffer>(&order)) granted_.insert(offer->attempt);
    if (const auto* welcome = std::get_if<Welcome>(&order)) {
      for (const GrantVerdict& verdict : welcome->verdicts) {
        if (verdict.keep) granted_.insert(verdict.attempt);
      }
    }
    full = queue_.size() >= kOrdersMax;
    if (!full) {
      queue_.push_back(OrderToProto(order));
      if (queue_.back().has_welcome()) queue_.back().mutable_welcome()->set_protocol(protocol_);
    }
    if (last) ending_ = absl::OkStatus();
  }
  if (full) return End(QueueFull());
  Pump();
}

void SessionReactor::End(absl::Status status) {
  {
    base::MutexLock lock(mutex_);
    if (finished_) return;
    if (!ending_.has_value()) ending_ = std::move(status);
    if (!ending_->ok()) queue_.clear();
  }
  Pump();
}

// Starts the next write, or ends the RPC when there is none: decided under the lock, done after.
void SessionReactor::Pump() {
  const std::shared_ptr<SessionReactor> hold = shared_from_this();
  bool write = false;
  bool more = false;
  std::optional<absl::Status> finish;
  {
    base::MutexLock lock(mutex_);
    if (finished_ || writing_) return;
    if (!queue_.empty()) {
      response_ = std::move(queue_.front());
      queue_.pop_front();
      writing_ = write = true;
      more = !queue_.empty();
    } else if (ending_.has_value()) {
      finished_ = true;
      finish = ending_;
    }
  }
  // What follows at once goes out with it.
  if (write)
    StartWrite(&response_, more ? grpc::WriteOptions().set_buffer_hint() : grpc::WriteOptions());
  if (finish.has_value()) Finish(rpc::ToGrpcStatus(*finish));
}

void SessionReactor::OnWriteDone(bool ok) {
  {
    base::MutexLock lock(mutex_);
    writing_ = false;
  }
  if (!ok) return End(absl::CancelledError("the agent is gone"));
  Pump();
}

void SessionReactor::OnReadDone(bool ok) {
  if (!ok) return End(absl::OkStatus());
  const absl::Status handled = Handle();
  if (!handled.ok()) return End(handled);
  StartRead(&request_);
}

void SessionReactor::OnDone() {
  if (greeted_) host_.dispatcher.OnSessionEnded(shared_from_this());
  self_.reset();
}

absl::Status SessionReactor::Handle() {
  if (!greeted_) return HandleHello();
  switch (request_.message_case()) {
    case agent::v1::SessionRequest::kGrantAnswer: {
      const agent::v1::GrantAnswer& answer = request_.grant_answer();
      ASSIGN_OR_RETURN(AttemptKey key, KeyFromProto(answer.attempt(), answer.epoch()));
      host_.dispatcher.OnGrantAnswer(shared_from_this(), std::move(key), answer.accepted(),
                                     answer.reason());
      return absl::OkStatus();
    }
    case agent::v1::SessionRequest::kBeat:
      host_.dispatcher.OnBeat(shared_from_this(), BeatFromProto(request_.beat()));
      return absl::OkStatus();
    case agent::v1::SessionRequest::kLog:
      HandleLog(request_.log());
      return absl::OkStatus();
    case agent::v1::SessionRequest::kProgress: {
      const agent::v1::Progress& progress = request_.progress();
      ASSIGN_OR_RETURN(AttemptKey key, KeyFromProto(progress.attempt(), progress.epoch()));
      host_.dispatcher.OnProgress(shared_from_this(), std::move(key), progress.phase(),
                                  progress.detail());
      return absl::OkStatus();
    }
    case agent::v1::SessionRequest::kResult:
      return HandleResult();
    case agent::v1::SessionRequest::kHello:
    case agent::v1::SessionRequest::MESSAGE_NOT_SET:
      return absl::OkStatus();  // Of a newer protocol, or a repeat.
  }
  return absl::OkStatus();
}

absl::Status SessionReactor::HandleHello() {
  ASSIGN_OR_RETURN(AgentHello hello, HelloFromProto(request_));
  if (hello.host != identity_->host) return TokenInvalid();
  if (identity_->process() && hello.agent != identity_->agent) return TokenInvalid();
  greeted_ = true;
  protocol_ = ProtocolOf(request_.hello());
  host_.dispatcher.OnHello(shared_from_this(), std::move(hello), identity_->process());
  return absl::OkStatus();
}

// What is wrong with a result is no reason to end the session: the attempt may hand in another.
absl::Status SessionReactor::HandleResult() {
  const agent::v1::SubmitResultRequest& report = request_.result().result();
  ASSIGN_OR_RETURN(AttemptKey key, KeyFromProto(report.attempt(), report.epoch()));
  absl::StatusOr<AttemptResult> result = ResultFromProto(report);
  if (!result.ok()) {
    Send(ResultReceipt{std::move(key), result.status()});
    return absl::OkStatus();
  }
  host_.dispatcher.OnResult(shared_from_this(), *identity_,
                            {.attempt = std::move(key),
                             .result = *std::move(result),
                             .ready = request_.result().ready()});
  return absl::OkStatus();
}

void SessionReactor::HandleLog(const agent::v1::LogChunk& log) {
  const absl::StatusOr<AttemptKey> key = KeyFromProto(log.attempt(), log.epoch());
  if (!key.ok() || log.data().size() > kLogChunkBytesMax) return;
  {
    base::MutexLock lock(mutex_);
    if (granted_.count(*key) == 0) return;
  }
  const absl::Status queued = host_.log_executor.TryRun(
      [this, self = shared_from_this(), key = *key, offset = log.offset(), data = log.data()] {
        const absl::Status stored = host_.logs.Append(key, offset, data);
        if (!stored.ok()) {
          log::Warning("a piece of a log was not stored",
                       {{"attempt", key.Name()}, {"error", stored.ToString()}});
        }
      });
  if (!queued.ok()) log::Warning("a piece of a log was dropped", {{"attempt", key->Name()}});
}

}  // namespace slipway::dispatcher
