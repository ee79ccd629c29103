#include "agent/session/session.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/domain/errors.h"
#include "agent/domain/limits.h"
#include "agent/session/convert.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/proto_time.h"
#include "lib/rpc/status.h"
#include "lib/rpc/status_proto.h"

namespace slipway::agent {
namespace {

constexpr int kProtocol = 2;
constexpr int kProtocolMin = 1;
// From this version on results may come on the session.
constexpr int kProtocolOfResults = 2;
constexpr absl::Duration kWelcomeTimeout = absl::Seconds(10);
constexpr absl::Duration kBackoffMin = absl::Milliseconds(50);
constexpr absl::Duration kBackoffMax = absl::Seconds(1);
// What the dispatcher gets to close its side of a session that this one has ended.
constexpr absl::Duration kCloseTimeout = absl::Seconds(1);
constexpr absl::Duration kLeaseTimeoutDefault = absl::Seconds(30);
constexpr absl::Duration kBeatIntervalMin = absl::Milliseconds(10);
// A dispatcher that answers nothing for so many beats will not answer the oldest.
constexpr size_t kBeatsKept = 64;

absl::Duration LeaseTimeoutOf(const v1::Welcome& welcome) {
  const absl::Duration timeout = rpc::FromProto(welcome.lease_timeout());
  return timeout > absl::ZeroDuration() ? timeout : kLeaseTimeoutDefault;
}

// Whether dialling again would be refused again.
bool IsFinal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
      return true;
    default:
      return base::ReasonOf(status) == "SESSION_REPLACED";
  }
}

// gRPC does not say what a server minded in a handshake: the connection just ends.
std::string Explained(const absl::Status& status, bool tls) {
  const bool ended = absl::StrContains(status.message(), "Handshake read failed") ||
                     absl::StrContains(status.message(), "Socket closed");
  if (!tls || !ended) return std::string(status.message());
  return absl::StrCat(status.message(),
                      "; the dispatcher may not accept the certificate of dispatcher_tls, or "
                      "serve no TLS there");
}

}  // namespace

// What one connection knows; guarded by the session's mutex, except for context and stream.
struct Session::Connection {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriterInterface<v1::SessionRequest, v1::SessionResponse>>
      stream;
  absl::Duration hello_sent;
  bool over = false;
  bool welcomed = false;
  bool goodbye = false;
  absl::Duration beat_interval;
  absl::Duration idle_beat_interval;  // While nothing is held.
  absl::Duration lease_timeout;
  absl::Duration next_beat;
  absl::Duration confirmed;  // When the last answered message was sent.
  int64_t sequence = 0;
  std::map<int64_t, SentBeat> beats;
  std::deque<v1::SessionRequest> answers;
};

absl::Status Session::Run() {
  absl::Duration backoff = kBackoffMin;
  absl::Duration offline_since = clock_.Elapsed();
  while (true) {
    bool welcomed = false;
    const absl::Status status = Connect(welcomed);
    if (welcomed) {
      backoff = kBackoffMin;
      offline_since = clock_.Elapsed();
    }
    {
      base::MutexLock lock(mutex_);
      if (stopping_) return absl::OkStatus();
    }
    if (IsFinal(status)) return status;
    if (!holder_.held().has_value() && clock_.Elapsed() - offline_since > kIdleOfflineMax) {
      return DispatcherUnreachable(Explained(status, client_.uses_tls()));
    }
    log::Info("session lost, dialling again", {{"reason", base::ReasonOf(status)},
                                               {"error", Explained(status, client_.uses_tls())}});
    const absl::Duration again = clock_.Elapsed() + backoff;
    backoff = std::min(backoff * 2, kBackoffMax);
    base::MutexLock lock(mutex_);
    while (!stopping_ && clock_.Elapsed() < again) {
      changed_.WaitFor(mutex_, again - clock_.Elapsed());
    }
  }
}

void Session::Stop() {
  base::MutexLock lock(mutex_);
  if (stopping_) return;
  stopping_ = true;
  close_timer_ = clock_.RunAfter(kCloseTimeout, [this] {
    base::MutexLock timer_lock(mutex_);
    if (context_ != nullptr) context_->TryCancel();
  });
  changed_.NotifyAll();
}

void Session::Wake() {
  base::MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void Session::BeatNow() {
  base::MutexLock lock(mutex_);
  beat_now_ = true;
  woken_ = true;
  changed_.NotifyAll();
}

std::optional<absl::StatusOr<DispatcherClient::Receipt>> Session::HandIn(v1::ResultReport report,
                                                                         absl::Duration timeout) {
  const absl::Duration deadline = clock_.Elapsed() + timeout;
  base::MutexLock lock(mutex_);
  if (!takes_results_ || stopping_) return std::nullopt;
  handover_.emplace();
  *handover_->request.mutable_result() = std::move(report);
  woken_ = true;
  changed_.NotifyAll();
  while (!handover_->receipt.has_value() && takes_results_ && !stopping_) {
    const absl::Duration left = deadline - clock_.Elapsed();
    if (left <= absl::ZeroDuration()) break;
    changed_.WaitFor(mutex_, left);
  }
  std::optional<absl::StatusOr<DispatcherClient::Receipt>> receipt = std::move(handover_->receipt);
  handover_.reset();
  return receipt;
}

absl::Status Session::Connect(bool& welcomed) {
  Connection connection;
  RETURN_IF_ERROR(rpc::PrepareContext({.timeout = absl::InfiniteDuration()}, connection.context));
  client_.Authorize(connection.context);
  if (const std::optional<Holder::Held> held = holder_.held()) held->report->Rewind();
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return absl::OkStatus();
    context_ = &connection.context;
  }
  connection.hello_sent = clock_.Elapsed();
  connection.stream = client_.stub().Session(&connection.context);
  connection.stream->Write(MakeHello());
  std::thread receiver([&] { Receive(connection); });
  SendAll(connection);
  receiver.join();
  const absl::Status status = rpc::FromGrpcStatus(connection.stream->Finish());
  base::MutexLock lock(mutex_);
  context_ = nullptr;
  takes_results_ = false;
  changed_.NotifyAll();
  welcomed = connection.welcomed;
  if (connection.goodbye) stopping_ = true;
  return status.ok() ? absl::UnavailableError("the dispatcher closed the session") : status;
}

void Session::Receive(Connection& connection) {
  v1::SessionResponse message;
  while (connection.stream->Read(&message)) Handle(connection, message);
  base::MutexLock lock(mutex_);
  connection.over = true;
  takes_results_ = false;
  changed_.NotifyAll();
}

void Session::Handle(Connection& connection, const v1::SessionResponse& message) {
  if (message.has_welcome()) {
    for (const v1::GrantVerdict& verdict : message.welcome().verdicts()) {
      HandleVerdict(verdict, connection.hello_sent, LeaseTimeoutOf(message.welcome()));
    }
    base::MutexLock lock(mutex_);
    connection.welcomed = true;
    takes_results_ = message.welcome().protocol() >= kProtocolOfResults;
    connection.beat_interval =
        std::max(rpc::FromProto(message.welcome().beat_interval()), kBeatIntervalMin);
    connection.idle_beat_interval =
        std::max(rpc::FromProto(message.welcome().idle_beat_interval()), connection.beat_interval);
    connection.lease_timeout = LeaseTimeoutOf(message.welcome());
    connection.confirmed = connection.hello_sent;
    connection.next_beat = clock_.Elapsed();
    changed_.NotifyAll();
  } else if (message.has_grant()) {
    HandleGrant(connection, message.grant());
  } else if (message.has_beat_answer()) {
    HandleAnswer(connection, message.beat_answer());
  } else if (message.has_receipt()) {
    HandleReceipt(message.receipt());
  } else if (message.has_goodbye()) {
    log::Info("dismissed by the dispatcher", {{"reason", message.goodbye().reason()}});
    base::MutexLock lock(mutex_);
    connection.goodbye = true;
    connection.over = true;
    changed_.NotifyAll();
  }
}

void Session::HandleAnswer(Connection& connection, const v1::BeatAnswer& answer) {
  SentBeat beat;
  absl::Duration lease_timeout;
  {
    base::MutexLock lock(mutex_);
    const auto found = connection.beats.find(answer.sequence());
    if (found == connection.beats.end()) return;
    beat = found->second;
    connection.beats.erase(connection.beats.begin(), std::next(found));
    connection.confirmed = std::max(connection.confirmed, beat.sent);
    lease_timeout = connection.lease_timeout;
  }
  for (const v1::GrantVerdict& verdict : answer.verdicts()) {
    HandleVerdict(verdict, beat.sent, lease_timeout);
  }
  const std::optional<Holder::Held> held = holder_.held();
  if (held.has_value() && held->key == beat.key)
    held->report->Delivered(beat.log_sent, beat.notes_sent);
}

// Before any grant that follows is read, so that it can be taken.
void Session::HandleReceipt(const v1::ResultReceipt& receipt) {
  const GrantKey key{.attempt = receipt.attempt(), .epoch = receipt.epoch()};
  {
    base::MutexLock lock(mutex_);
    if (!handover_.has_value() || handover_->request.result().result().attempt() != key.attempt) {
      return;
    }
  }
  if (!receipt.has_error()) holder_.HandedIn(key);
  base::MutexLock lock(mutex_);
  if (!handover_.has_value()) return;
  if (receipt.has_error()) {
    handover_->receipt.emplace(rpc::FromProto(receipt.error()));
  } else {
    handover_->receipt.emplace(DispatcherClient::ReceiptFromProto(receipt.receipt()));
  }
  changed_.NotifyAll();
}

void Session::HandleGrant(Connection& connection, const v1::Grant& message) {
  absl::Duration confirmed, lease_timeout;
  {
    base::MutexLock lock(mutex_);
    confirmed = connection.confirmed;
    lease_timeout = connection.lease_timeout;
  }
  absl::StatusOr<Grant> grant = GrantFromProto(message);
  const absl::Status taken =
      grant.ok() ? holder_.Take(*std::move(grant), confirmed, lease_timeout) : grant.status();
  v1::SessionRequest request;
  v1::GrantAnswer& answer = *request.mutable_grant_answer();
  answer.set_attempt(message.attempt());
  answer.set_epoch(message.epoch());
  answer.set_accepted(taken.ok());
  if (!taken.ok()) answer.set_reason(std::string(taken.message()));
  base::MutexLock lock(mutex_);
  connection.answers.push_back(std::move(request));
  connection.next_beat = clock_.Elapsed();
  changed_.NotifyAll();
}

void Session::HandleVerdict(const v1::GrantVerdict& verdict, absl::Duration sent,
                            absl::Duration lease_timeout) {
  const GrantKey key{.attempt = verdict.attempt(), .epoch = verdict.epoch()};
  if (verdict.verdict() == v1::GrantVerdict::VERDICT_KEEP) holder_.Keep(key, sent, lease_timeout);
  if (verdict.verdict() == v1::GrantVerdict::VERDICT_STOP) holder_.Fence(key);
}

void Session::SendAll(Connection& connection) {
  while (std::optional<v1::SessionRequest> request = Next(connection)) {
    if (!connection.stream->Write(*request)) break;
  }
  connection.stream->WritesDone();
  // Should the dispatcher not end the stream from its side.
  const std::unique_ptr<base::Timer> timer =
      clock_.RunAfter(kCloseTimeout, [&] { connection.context.TryCancel(); });
  base::MutexLock lock(mutex_);
  while (!connection.over) changed_.Wait(mutex_);
}

std::optional<v1::SessionRequest> Session::Next(Connection& connection) {
  while (true) {
    {
      base::MutexLock lock(mutex_);
      if (connection.over || stopping_) return std::nullopt;
      if (!connection.welcomed) {
        const absl::Duration left = connection.hello_sent + kWelcomeTimeout - clock_.Elapsed();
        if (left <= absl::ZeroDuration()) {
          connection.context.TryCancel();
          return std::nullopt;
        }
        changed_.WaitFor(mutex_, left);
        continue;
      }
      if (!connection.answers.empty()) {
        v1::SessionRequest answer = std::move(connection.answers.front());
        connection.answers.pop_front();
        return answer;
      }
      if (handover_.has_value() && takes_results_ && !std::exchange(handover_->sent, true)) {
        return handover_->request;
      }
      woken_ = false;
    }
    std::optional<Holder::Held> held = holder_.held();
    if (IsBeatDue(connection)) return MakeBeat(connection, held);
    if (held.has_value()) {
      if (std::optional<v1::SessionRequest> report = ReportOf(*held)) return report;
      if (held->report->delivery_awaited() && !DeliveryAsked(connection, *held)) {
        return MakeBeat(connection, held);
      }
    }
    base::MutexLock lock(mutex_);
    if (!woken_ && !connection.over && !stopping_ && connection.answers.empty() &&
        connection.next_beat > clock_.Elapsed()) {
      changed_.WaitFor(mutex_, connection.next_beat - clock_.Elapsed());
    }
  }
}

bool Session::IsBeatDue(const Connection& connection) {
  base::MutexLock lock(mutex_);
  return std::exchange(beat_now_, false) || connection.next_beat <= clock_.Elapsed();
}

bool Session::DeliveryAsked(const Connection& connection, const Holder::Held& held) {
  base::MutexLock lock(mutex_);
  if (connection.beats.empty()) return false;
  const SentBeat& last = connection.beats.rbegin()->second;
  return last.key == held.key && last.log_sent >= held.report->sent() &&
         last.notes_sent >= held.report->notes_sent();
}

std::optional<v1::SessionRequest> Session::ReportOf(const Holder::Held& held) {
  v1::SessionRequest request;
  if (const std::optional<ProgressNote> note = held.report->TakeProgress()) {
    v1::Progress& progress = *request.mutable_progress();
    progress.set_attempt(held.key.attempt);
    progress.set_epoch(held.key.epoch);
    progress.set_phase(note->phase);
    progress.set_detail(note->detail);
    return request;
  }
  if (std::optional<AttemptReport::LogPiece> piece = held.report->TakeLog(kLogChunkBytesMax)) {
    v1::LogChunk& chunk = *request.mutable_log();
    chunk.set_attempt(held.key.attempt);
    chunk.set_epoch(held.key.epoch);
    chunk.set_offset(piece->offset);
    chunk.set_data(std::move(piece->data));
    return request;
  }
  return std::nullopt;
}

v1::SessionRequest Session::MakeHello() const {
  v1::SessionRequest request;
  v1::Hello& hello = *request.mutable_hello();
  hello.set_protocol(kProtocol);
  hello.set_protocol_min(kProtocolMin);
  hello.set_agent(options_.agent);
  hello.set_host(options_.host);
  hello.set_boot_nonce(options_.boot_nonce);
  hello.add_backends("patch");
  if (const std::optional<Holder::Held> held = holder_.held()) {
    hello.add_held()->set_attempt(held->key.attempt);
    hello.mutable_held(0)->set_epoch(held->key.epoch);
  }
  return request;
}

v1::SessionRequest Session::MakeBeat(Connection& connection,
                                     const std::optional<Holder::Held>& held) {
  v1::SessionRequest request;
  v1::Beat& beat = *request.mutable_beat();
  SentBeat sent{.sent = clock_.Elapsed()};
  beat.set_phase("idle");
  if (held.has_value()) {
    sent.key = held->key;
    sent.log_sent = held->report->sent();
    sent.notes_sent = held->report->notes_sent();
    beat.add_held()->set_attempt(held->key.attempt);
    beat.mutable_held(0)->set_epoch(held->key.epoch);
    beat.set_activity(held->report->activity());
    beat.set_phase(held->report->phase());
  }
  base::MutexLock lock(mutex_);
  beat.set_sequence(++connection.sequence);
  connection.beats[connection.sequence] = std::move(sent);
  if (connection.beats.size() > kBeatsKept) connection.beats.erase(connection.beats.begin());
  const bool idle = !held.has_value();
  connection.next_beat =
      clock_.Elapsed() + (idle ? connection.idle_beat_interval : connection.beat_interval);
  return request;
}

}  // namespace slipway::agent
