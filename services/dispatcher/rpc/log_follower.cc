#include "services/dispatcher/rpc/log_follower.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "lib/base/error.h"
#include "lib/log/log.h"
#include "lib/rpc/status.h"
#include "services/dispatcher/rpc/service_identity.h"

namespace slipway::dispatcher {
namespace {

constexpr absl::Duration kReconnectInterval = absl::Milliseconds(500);

}  // namespace

// One stream. Ends with OnEnd, which destroys it.
class LogFollower::Stream final : public grpc::ClientReadReactor<events::v1::WatchResponse> {
 public:
  explicit Stream(LogFollower& follower) : follower_(follower) {}

  void Start(events::v1::EventLogService::Stub& stub, events::v1::WatchRequest request) {
    request_ = std::move(request);
    prepared_ = rpc::PrepareContext(AsDispatcher(absl::InfiniteDuration()), context_);
    stub.async()->Watch(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    follower_.Apply(response_);
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    follower_.OnEnd(prepared_.ok() ? rpc::FromGrpcStatus(status) : prepared_);
  }

 private:
  LogFollower& follower_;
  absl::Status prepared_;
  grpc::ClientContext context_;
  events::v1::WatchRequest request_;
  events::v1::WatchResponse response_;
};

LogFollower::LogFollower(const std::shared_ptr<grpc::Channel>& channel, Options options,
                         base::Clock& clock)
    : stub_(events::v1::EventLogService::NewStub(channel)),
      options_(std::move(options)),
      clock_(clock),
      cursor_(options_.cursor) {
  Connect();
}

LogFollower::~LogFollower() { Stop(); }

void LogFollower::Stop() {
  std::unique_ptr<base::Timer> timer;  // Ended outside of the lock that its call takes.
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    if (stream_ != nullptr) stream_->Cancel();
    timer = std::move(timer_);
  }
  timer.reset();
  base::MutexLock lock(mutex_);
  while (stream_ != nullptr) changed_.Wait(mutex_);
}

void LogFollower::Connect() {
  base::MutexLock lock(mutex_);
  if (stopping_) return;
  events::v1::WatchRequest request;
  request.set_resume_token(cursor_);
  for (const std::string& kind : options_.kinds) request.mutable_filter()->add_kinds(kind);
  stream_ = std::make_unique<Stream>(*this);
  stream_->Start(*stub_, std::move(request));
}

void LogFollower::Apply(const events::v1::WatchResponse& response) {
  // A bookmark alone is not worth a commit: going on from before it reads nothing twice.
  if (response.events().empty()) return;
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    cursor_ = response.resume_token();
  }
  options_.apply(response);
}

void LogFollower::OnEnd(const absl::Status& status) {
  std::unique_ptr<Stream> ended;
  std::unique_ptr<base::Timer> before;
  base::MutexLock lock(mutex_);
  ended = std::move(stream_);
  changed_.NotifyAll();
  if (stopping_) return;
  if (absl::StartsWith(base::ReasonOf(status), "RESUME_TOKEN_")) cursor_.clear();
  // Once, not with every try.
  if (!status.ok() && !lost_) {
    log::Warning("a log cannot be followed",
                 {{"service", options_.service}, {"error", status.ToString()}});
  }
  lost_ = !status.ok();
  before = std::exchange(timer_, clock_.RunAfter(kReconnectInterval, [this] { Connect(); }));
}

}  // namespace slipway::dispatcher
