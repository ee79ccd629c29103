#include "services/dispatcher/rpc/ledger_follower.h"

#include <map>
#include <utility>
#include <vector>

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

// -1 stands for no limit.
bool IsRaised(const events::v1::BudgetChanged& change) {
  return change.new_limit() < 0 ||
         (change.old_limit() >= 0 && change.new_limit() > change.old_limit());
}

}  // namespace

LedgerFollower::LedgerFollower(const std::shared_ptr<grpc::Channel>& ledger, Dispatcher& dispatcher,
                               std::string cursor)
    : stub_(events::v1::EventLogService::NewStub(ledger)),
      dispatcher_(dispatcher),
      cursor_(std::move(cursor)),
      thread_([this] { Loop(); }) {}

void LedgerFollower::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void LedgerFollower::Loop() {
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
      log::Warning("the ledger's log cannot be followed", {{"error", status.ToString()}});
    }
    lost = !status.ok();
    changed_.WaitFor(mutex_, kReconnectInterval);
  }
}

absl::Status LedgerFollower::Follow(grpc::ClientContext& context) {
  RETURN_IF_ERROR(rpc::PrepareContext(AsDispatcher(absl::InfiniteDuration()), context));
  events::v1::WatchRequest request;
  request.set_resume_token(cursor_);
  request.mutable_filter()->add_kinds("budget.changed");
  request.mutable_filter()->add_kinds("budget.frozen");
  request.mutable_filter()->add_kinds("usage.recorded");
  const auto stream = stub_->Watch(&context, request);
  events::v1::WatchResponse response;
  while (stream->Read(&response)) Apply(response);
  return rpc::FromGrpcStatus(stream->Finish());
}

void LedgerFollower::Apply(const events::v1::WatchResponse& response) {
  std::vector<std::string> raised;
  std::map<std::string, int64_t> costs;
  for (const events::v1::Event& event : response.events()) {
    const events::v1::EventPayload& payload = event.payload();
    if (payload.has_budget_changed() && IsRaised(payload.budget_changed())) {
      raised.push_back(payload.budget_changed().scope());
    } else if (payload.has_budget_frozen() && !payload.budget_frozen().frozen()) {
      raised.push_back(payload.budget_frozen().scope());
    } else if (payload.has_usage_recorded() && !event.project().empty()) {
      costs[event.project()] += payload.usage_recorded().cost_usd_nanos();
    }
  }
  // A bookmark alone is not worth a commit: going on from before it reads nothing twice.
  if (response.events().empty()) return;
  cursor_ = response.resume_token();
  dispatcher_.LedgerChanged(std::move(raised), std::move(costs), cursor_);
}

}  // namespace slipway::dispatcher
