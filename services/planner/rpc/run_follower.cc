#include "services/planner/rpc/run_follower.h"

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/status.h"
#include "services/planner/rpc/convert.h"
#include "services/planner/rpc/service_identity.h"

namespace slipway::planner {
namespace {

constexpr char kLog[] = "dispatcher";
constexpr absl::Duration kReconnectInterval = absl::Milliseconds(200);

metrics::Counter restarts({.name = "slipway_planner_follower_restarts_total",
                           .description = "Times the dispatcher's log could not be continued.",
                           .labels = {}});

Run RunOf(const events::v1::RunStateChanged& change) {
  Run run{.state = RunState::kRunning, .detail = change.detail()};
  if (change.to() == "SUCCEEDED") run.state = RunState::kSucceeded;
  if (change.to() == "FAILED") run.state = RunState::kFailed;
  if (change.to() == "CANCELLED") run.state = RunState::kCancelled;
  return run;
}

}  // namespace

RunFollower::RunFollower(const std::shared_ptr<grpc::Channel>& dispatcher, PlanStore& store,
                         Starter& starter)
    : stub_(events::v1::EventLogService::NewStub(dispatcher)), store_(store), starter_(starter) {
  thread_ = std::thread([this] { Loop(); });
}

void RunFollower::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void RunFollower::Loop() {
  bool was_lost = false;
  while (true) {
    grpc::ClientContext context;
    {
      base::MutexLock lock(mutex_);
      if (stopping_) return;
      context_ = &context;
    }
    absl::Status status = Follow(context);
    {
      base::MutexLock lock(mutex_);
      context_ = nullptr;
      if (stopping_) return;
    }
    if (absl::StartsWith(base::ReasonOf(status), "RESUME_TOKEN_")) status = Restart();
    // Once, not with every try.
    if (!status.ok() && !was_lost) {
      log::Warning("the dispatcher's log cannot be followed", {{"error", status.ToString()}});
    }
    was_lost = !status.ok();
    base::MutexLock lock(mutex_);
    if (!stopping_) changed_.WaitFor(mutex_, kReconnectInterval);
  }
}

absl::Status RunFollower::Follow(grpc::ClientContext& context) {
  RETURN_IF_ERROR(rpc::PrepareContext(AsPlanner(absl::InfiniteDuration()), context));
  events::v1::WatchRequest request;
  ASSIGN_OR_RETURN(*request.mutable_resume_token(), store_.GetCursor(kLog));
  request.mutable_filter()->add_kinds("run.state_changed");
  std::string stored = request.resume_token();
  const std::unique_ptr<grpc::ClientReaderInterface<events::v1::WatchResponse>> stream =
      stub_->Watch(&context, request);
  events::v1::WatchResponse response;
  absl::Status applied;
  while (applied.ok() && stream->Read(&response)) {
    applied = Apply(response);
    if (applied.ok() && response.resume_token() != stored) {
      applied = store_.SetCursor(kLog, response.resume_token());
      stored = response.resume_token();
    }
  }
  if (!applied.ok()) context.TryCancel();
  const absl::Status ended = rpc::FromGrpcStatus(stream->Finish());
  return applied.ok() ? ended : applied;
}

absl::Status RunFollower::Apply(const events::v1::WatchResponse& response) {
  for (const events::v1::Event& event : response.events()) {
    if (!event.payload().has_run_state_changed()) continue;
    const absl::StatusOr<PlanName> name = PlanNameOf(event.plan());
    if (!name.ok()) continue;
    RETURN_IF_ERROR(
        starter_.ApplyRun(name->project, name->id, RunOf(event.payload().run_state_changed())));
  }
  return absl::OkStatus();
}

absl::Status RunFollower::Restart() {
  restarts.Increment();
  log::Warning("the dispatcher's log starts anew: asking for every running plan");
  RETURN_IF_ERROR(store_.SetCursor(kLog, ""));
  return starter_.Reconcile();
}

}  // namespace slipway::planner
