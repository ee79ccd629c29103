#include "agent/supervisor/agent.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/domain/errors.h"
#include "agent/supervisor/change_work.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/log/log.h"
#include "lib/sandbox/sandbox.h"
#include "lib/sandbox/workspace_lock.h"

namespace slipway::agent {
namespace {

absl::Status Busy(absl::string_view reason, absl::string_view message) {
  return base::Error(absl::StatusCode::kFailedPrecondition, reason,
                     absl::StrCat(reason, ": ", message));
}

// Whether this program runs inside: it and its libraries must be reachable from there.
absl::Status CheckProgram(const Settings& settings) {
  sandbox::Spec spec = settings.BaseSpec();
  spec.argv = {kProgramInside, "--version"};
  spec.read_only.push_back({.host = settings.program, .inside = kProgramInside});
  spec.limits.wall_clock = absl::Seconds(30);
  ASSIGN_OR_RETURN(const sandbox::RunResult result, sandbox::Run(spec));
  if (!result.ok()) return ProgramNotRunnable(base::ToUtf8(result.err + result.out, 512));
  return absl::OkStatus();
}

}  // namespace

Agent::Agent(Settings settings, Collaborators collaborators)
    : settings_(std::move(settings)),
      collaborators_(collaborators),
      client_({.address = settings_.dispatcher_address,
               .credentials = settings_.credentials,
               .server_name = settings_.server_name,
               .token = settings_.token},
              collaborators.clock),
      session_({.agent = settings_.agent,
                .host = settings_.host,
                .boot_nonce = absl::ToUnixNanos(collaborators.clock.Now())},
               client_, *this, collaborators.clock) {}

Agent::~Agent() {
  Stop();
  std::thread worker;
  {
    base::MutexLock lock(mutex_);
    worker = std::move(worker_);
  }
  if (worker.joinable()) worker.join();
}

absl::Status Agent::Prepare() {
  sandbox::Spec identity{.layer = settings_.layer};
  identity.uid = settings_.uid;
  identity.gid = settings_.uid;
  RETURN_IF_ERROR(sandbox::Check(identity));
  RETURN_IF_ERROR(CheckProgram(settings_));
  ASSIGN_OR_RETURN(const sandbox::Swept swept,
                   sandbox::SweepWorkspaces(settings_.workspace_directory));
  if (swept.removed > 0) log::Info("removed what dead agents left", {{"attempts", swept.removed}});
  if (!swept.problem.empty()) {
    log::Warning("not all that dead agents left was removed", {{"error", swept.problem}});
  }
  return absl::OkStatus();
}

absl::Status Agent::Run() {
  absl::Status status = session_.Run();
  // A dispatcher that refuses this agent has given its work up, too.
  if (!status.ok()) StopAttempt(Lease::Cause::kFenced);
  StopAttempt(Lease::Cause::kTold);
  std::thread worker;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    worker = std::move(worker_);
  }
  if (worker.joinable()) worker.join();
  return status;
}

void Agent::Stop() {
  StopAttempt(Lease::Cause::kTold);
  std::shared_ptr<Attempt> attempt;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    attempt = attempt_;
  }
  // An attempt that ends ends the session; without one there is nothing to wait for.
  if (attempt == nullptr) session_.Stop();
}

absl::Status Agent::Take(Grant grant, absl::Duration lease_start, absl::Duration lease_timeout) {
  const std::function<void()> changed = [this] { session_.Wake(); };
  base::MutexLock lock(mutex_);
  if (attempt_ != nullptr) {
    if (attempt_->grant().key == grant.key) return absl::OkStatus();
    return Busy("BUSY", "this agent works on another attempt");
  }
  if (stopping_) return Busy("STOPPING", "this agent ends");
  if (last_ == grant.key) return Busy("ATTEMPT_DONE", "this agent is done with that attempt");
  const auto goes_on = [this] {
    base::MutexLock goes_on_lock(mutex_);
    return GoesOn();
  };
  attempt_ = std::make_shared<Attempt>(std::move(grant),
                                       Attempt::Collaborators{.settings = settings_,
                                                              .client = client_,
                                                              .session = session_,
                                                              .goes_on = goes_on,
                                                              .clock = collaborators_.clock,
                                                              .ids = collaborators_.ids},
                                       changed);
  attempt_->lease().Renew(lease_start, lease_timeout);
  // The one before has its receipt, but its thread may not have ended.
  worker_ = std::thread([this, attempt = attempt_, before = std::move(worker_)]() mutable {
    if (before.joinable()) before.join();
    WorkOn(attempt);
  });
  return absl::OkStatus();
}

void Agent::HandedIn(const GrantKey& key) {
  base::MutexLock lock(mutex_);
  if (attempt_ != nullptr && attempt_->grant().key == key && GoesOn()) Release();
}

bool Agent::GoesOn() const { return !stopping_ && attempts_done_ + 1 < settings_.attempts_max; }

void Agent::Release() {
  last_ = attempt_->grant().key;
  attempt_ = nullptr;
  ++attempts_done_;
}

std::optional<Holder::Held> Agent::held() const {
  base::MutexLock lock(mutex_);
  if (attempt_ == nullptr) return std::nullopt;
  return Held{.key = attempt_->grant().key, .report = attempt_->report()};
}

void Agent::Keep(const GrantKey& key, absl::Duration sent, absl::Duration lease_timeout) {
  if (const auto attempt = Find(key)) attempt->lease().Renew(sent, lease_timeout);
}

void Agent::Fence(const GrantKey& key) {
  if (const auto attempt = Find(key)) attempt->lease().Stop(Lease::Cause::kFenced);
}

void Agent::WorkOn(const std::shared_ptr<Attempt>& attempt) {
  attempt->Run();
  bool done = false;
  {
    base::MutexLock lock(mutex_);
    if (attempt_ == attempt) Release();
    done = attempts_done_ >= settings_.attempts_max || stopping_;
    if (done) stopping_ = true;
  }
  if (done) {
    session_.Stop();
  } else {
    session_.BeatNow();
  }
}

std::shared_ptr<Attempt> Agent::Find(const GrantKey& key) const {
  base::MutexLock lock(mutex_);
  return attempt_ != nullptr && attempt_->grant().key == key ? attempt_ : nullptr;
}

void Agent::StopAttempt(Lease::Cause cause) {
  std::shared_ptr<Attempt> attempt;
  {
    base::MutexLock lock(mutex_);
    attempt = attempt_;
  }
  if (attempt != nullptr) attempt->lease().Stop(cause);
}

}  // namespace slipway::agent
