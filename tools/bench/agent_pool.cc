#include "tools/bench/agent_pool.h"

#include <grpcpp/create_channel.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/rpc/proto_time.h"

namespace slipway::bench {
namespace {

namespace agent_pb = ::slipway::agent::v1;

constexpr char kTokenKey[] = "slipway-agent-token";
constexpr size_t kPatchBytes = 1'024;
constexpr absl::Duration kWelcomePatience = absl::Seconds(60);
constexpr absl::Duration kRedialDelay = absl::Milliseconds(5);

// A connection that is shared with nobody, as agents in containers of their own have one.
std::shared_ptr<grpc::Channel> OwnChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

// One agent: its connection, its present session, and what it holds. Lives until its pool goes;
// gRPC may call it from any thread.
class AgentPool::Agent final : public std::enable_shared_from_this<AgentPool::Agent> {
 public:
  Agent(AgentPool& pool, std::string name)
      : pool_(pool),
        name_(std::move(name)),
        stub_(agent_pb::AgentService::NewStub(OwnChannel(pool.options_.address))) {}

  void Dial();
  void Stop();

 private:
  class Session;
  friend class Session;

  void Handle(const agent_pb::SessionResponse& response);
  void HandleGrant(const agent_pb::Grant& grant);
  void Submit();
  void HandleReceipt(const agent_pb::ResultReceipt& receipt);
  void Beat();
  void OnSessionEnd();
  void Tell(agent_pb::SessionRequest request);
  agent_pb::SessionRequest NextBeat() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Timers are kept as long as the agent: each replaces the one of its kind.
  void After(absl::Duration delay, std::unique_ptr<base::Timer> Agent::*timer,
             void (Agent::*then)());

  AgentPool& pool_;
  const std::string name_;
  const std::unique_ptr<agent_pb::AgentService::Stub> stub_;

  base::Mutex mutex_;
  std::shared_ptr<Session> session_ ABSL_GUARDED_BY(mutex_);
  std::optional<agent_pb::Grant> held_ ABSL_GUARDED_BY(mutex_);
  absl::Duration beat_interval_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(5);
  absl::Duration idle_beat_interval_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(5);
  int64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  bool submitted_ ABSL_GUARDED_BY(mutex_) = false;  // What it holds; there is no receipt yet.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool welcomed_ ABSL_GUARDED_BY(mutex_) = false;

  base::Mutex timer_mutex_;
  std::unique_ptr<base::Timer> beat_timer_;
  std::unique_ptr<base::Timer> work_timer_;
  std::unique_ptr<base::Timer> dial_timer_;
};

// One stream: writes what the agent says, one message at a time. Holds itself until OnDone.
class AgentPool::Agent::Session final
    : public grpc::ClientBidiReactor<agent_pb::SessionRequest, agent_pb::SessionResponse>,
      public std::enable_shared_from_this<Session> {
 public:
  explicit Session(std::shared_ptr<Agent> agent) : agent_(std::move(agent)) {}

  void Begin(agent_pb::SessionRequest hello) {
    self_ = shared_from_this();
    context_.AddMetadata(kTokenKey, agent_->pool_.options_.token);
    context_.set_wait_for_ready(true);
    agent_->stub_->async()->Session(&context_, this);
    AddHold();  // Of the writer, until Cancel or the end of reading.
    Say(std::move(hello));
    StartRead(&response_);
    StartCall();
  }

  void Say(agent_pb::SessionRequest request) {
    base::MutexLock lock(mutex_);
    if (over_) return;
    queue_.push_back(std::move(request));
    if (!writing_) Pump();
  }

  void Cancel() {
    context_.TryCancel();
    End();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End();
    agent_->Handle(response_);
    StartRead(&response_);
  }

  void OnWriteDone(bool ok) override {
    base::MutexLock lock(mutex_);
    writing_ = false;
    if (ok && !over_ && !queue_.empty()) Pump();
  }

  void OnDone(const grpc::Status&) override {
    const std::shared_ptr<Session> hold = std::move(self_);
    agent_->OnSessionEnd();
  }

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    request_ = std::move(queue_.front());
    queue_.pop_front();
    writing_ = true;
    StartWrite(&request_);
  }

  void End() {
    {
      base::MutexLock lock(mutex_);
      if (std::exchange(over_, true)) return;
    }
    RemoveHold();
  }

  const std::shared_ptr<Agent> agent_;
  std::shared_ptr<Session> self_;
  grpc::ClientContext context_;
  agent_pb::SessionResponse response_;
  base::Mutex mutex_;
  agent_pb::SessionRequest request_;  // Of the write in flight.
  std::deque<agent_pb::SessionRequest> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

void AgentPool::Agent::After(absl::Duration delay, std::unique_ptr<base::Timer> Agent::*timer,
                             void (Agent::*then)()) {
  base::MutexLock lock(timer_mutex_);
  this->*timer = base::RealClock().RunAfter(delay, [weak = weak_from_this(), then] {
    if (const std::shared_ptr<Agent> self = weak.lock()) ((*self).*then)();
  });
}

void AgentPool::Agent::Dial() {
  agent_pb::SessionRequest hello;
  hello.mutable_hello()->set_protocol(2);
  hello.mutable_hello()->set_protocol_min(2);
  hello.mutable_hello()->set_agent(name_);
  hello.mutable_hello()->set_host(pool_.options_.host);
  hello.mutable_hello()->set_boot_nonce(1);
  std::shared_ptr<Session> session;
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    if (held_.has_value()) {
      agent_pb::HeldGrant& held = *hello.mutable_hello()->add_held();
      held.set_attempt(held_->attempt());
      held.set_epoch(held_->epoch());
    }
    session_ = session = std::make_shared<Session>(shared_from_this());
    pool_.OnBegun();
  }
  session->Begin(std::move(hello));
}

void AgentPool::Agent::Stop() {
  std::shared_ptr<Session> session;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    session = std::move(session_);
  }
  if (session != nullptr) session->Cancel();
  std::unique_ptr<base::Timer> beat, work, dial;  // Ended outside the lock that they take.
  base::MutexLock lock(timer_mutex_);
  beat = std::move(beat_timer_);
  work = std::move(work_timer_);
  dial = std::move(dial_timer_);
}

void AgentPool::Agent::OnSessionEnd() {
  bool again = false;
  {
    base::MutexLock lock(mutex_);
    session_.reset();
    again = !stopping_;
  }
  if (again) After(kRedialDelay, &Agent::dial_timer_, &Agent::Dial);
  pool_.OnGone();
}

void AgentPool::Agent::Tell(agent_pb::SessionRequest request) {
  std::shared_ptr<Session> session;
  {
    base::MutexLock lock(mutex_);
    session = session_;
  }
  if (session != nullptr) session->Say(std::move(request));
}

void AgentPool::Agent::Handle(const agent_pb::SessionResponse& response) {
  if (response.has_grant()) return HandleGrant(response.grant());
  if (response.has_receipt()) return HandleReceipt(response.receipt());
  if (!response.has_welcome()) return;
  bool first = false;
  bool again = false;
  absl::Duration interval;
  {
    base::MutexLock lock(mutex_);
    beat_interval_ = interval = rpc::FromProto(response.welcome().beat_interval());
    idle_beat_interval_ =
        std::max(rpc::FromProto(response.welcome().idle_beat_interval()), beat_interval_);
    first = !std::exchange(welcomed_, true);
    again = submitted_ && response.welcome().verdicts_size() > 0;
  }
  // What was said on the last connection may not have been heard.
  if (again) Submit();
  if (!first) return;
  pool_.OnWelcome();
  After(interval, &Agent::beat_timer_, &Agent::Beat);
}

agent_pb::SessionRequest AgentPool::Agent::NextBeat() {
  agent_pb::SessionRequest request;
  request.mutable_beat()->set_sequence(++sequence_);
  request.mutable_beat()->set_phase(held_.has_value() ? "work" : "idle");
  if (held_.has_value()) {
    agent_pb::HeldGrant& held = *request.mutable_beat()->add_held();
    held.set_attempt(held_->attempt());
    held.set_epoch(held_->epoch());
  }
  return request;
}

void AgentPool::Agent::Beat() {
  agent_pb::SessionRequest beat;
  absl::Duration interval;
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    beat = NextBeat();
    interval = held_.has_value() ? beat_interval_ : idle_beat_interval_;
  }
  Tell(std::move(beat));
  After(interval, &Agent::beat_timer_, &Agent::Beat);
}

void AgentPool::Agent::HandleGrant(const agent_pb::Grant& grant) {
  {
    base::MutexLock lock(mutex_);
    held_ = grant;
    submitted_ = false;
  }
  if (pool_.options_.on_grant) pool_.options_.on_grant(grant);
  agent_pb::SessionRequest answer;
  answer.mutable_grant_answer()->set_attempt(grant.attempt());
  answer.mutable_grant_answer()->set_epoch(grant.epoch());
  answer.mutable_grant_answer()->set_accepted(true);
  Tell(std::move(answer));
  if (pool_.options_.work <= absl::ZeroDuration()) return Submit();
  After(pool_.options_.work, &Agent::work_timer_, &Agent::Submit);
}

void AgentPool::Agent::Submit() {
  agent_pb::SessionRequest request;
  {
    base::MutexLock lock(mutex_);
    if (stopping_ || !held_.has_value()) return;
    agent_pb::SubmitResultRequest& result = *request.mutable_result()->mutable_result();
    result.set_attempt(held_->attempt());
    result.set_epoch(held_->epoch());
    result.mutable_change()->set_patch(std::string(kPatchBytes, 'x'));
    request.mutable_result()->set_ready(true);
    submitted_ = true;
  }
  Tell(std::move(request));
}

void AgentPool::Agent::HandleReceipt(const agent_pb::ResultReceipt& receipt) {
  // The dispatcher has too much to do: the result is handed in again.
  if (receipt.has_error()) return After(kRedialDelay, &Agent::work_timer_, &Agent::Submit);
  {
    base::MutexLock lock(mutex_);
    if (!held_.has_value() || held_->attempt() != receipt.attempt()) return;
    held_.reset();
    submitted_ = false;
  }
  if (pool_.options_.on_receipt) pool_.options_.on_receipt(receipt.attempt(), receipt.receipt());
}

absl::StatusOr<std::unique_ptr<AgentPool>> AgentPool::Start(Options options) {
  std::unique_ptr<AgentPool> pool(new AgentPool(std::move(options)));
  for (int i = 0; i < pool->options_.agents; ++i) {
    pool->agents_.push_back(
        std::make_shared<Agent>(*pool, absl::StrCat(pool->options_.prefix, "-", i)));
    pool->agents_.back()->Dial();
  }
  const absl::Duration end = base::RealClock().Elapsed() + kWelcomePatience;
  base::MutexLock lock(pool->mutex_);
  while (pool->welcomed_ < pool->options_.agents) {
    const absl::Duration left = end - base::RealClock().Elapsed();
    if (left <= absl::ZeroDuration()) {
      return absl::UnavailableError(absl::StrCat("only ", pool->welcomed_, " of ",
                                                 pool->options_.agents, " agents were welcomed"));
    }
    pool->changed_.WaitFor(pool->mutex_, left);
  }
  return pool;
}

AgentPool::~AgentPool() {
  for (const std::shared_ptr<Agent>& agent : agents_) agent->Stop();
  base::MutexLock lock(mutex_);
  while (under_way_ > 0) changed_.Wait(mutex_);
}

void AgentPool::OnWelcome() {
  base::MutexLock lock(mutex_);
  ++welcomed_;
  changed_.NotifyAll();
}

void AgentPool::OnBegun() {
  base::MutexLock lock(mutex_);
  ++under_way_;
}

void AgentPool::OnGone() {
  base::MutexLock lock(mutex_);
  --under_way_;
  changed_.NotifyAll();
}

}  // namespace slipway::bench
