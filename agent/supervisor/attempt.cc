#include "agent/supervisor/attempt.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "agent/domain/errors.h"
#include "agent/domain/limits.h"
#include "agent/session/convert.h"
#include "agent/supervisor/change_work.h"
#include "agent/supervisor/sandbox_watch.h"
#include "agent/supervisor/snapshot.h"
#include "agent/supervisor/validation.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"

namespace slipway::agent {
namespace {

// For the log to arrive before the result, which may end the dispatcher's interest in it.
constexpr absl::Duration kLogDeliveryTimeout = absl::Seconds(2);
// An agent that was asked to end does not wait for a dispatcher that is away.
constexpr absl::Duration kToldSubmitTimeout = absl::Seconds(3);
constexpr int kTriesAfterStopMax = 3;
// A receipt follows the dispatcher's commit; one that has not come by then was lost.
constexpr absl::Duration kReportTimeout = absl::Seconds(10);

Failure FailureOf(const absl::Status& status) {
  const std::string reason = base::ReasonOf(status);
  return {.failure_class = FailureClass::kInfrastructure,
          .reason = reason.empty() ? "HOST_FAILED" : reason,
          .detail = std::string(status.message())};
}

const char* KindOf(const Result& result) {
  constexpr const char* kKinds[] = {"change", "evidence", "failure", "stop"};
  return kKinds[result.index()];
}

}  // namespace

Attempt::Attempt(Grant grant, Collaborators collaborators, std::function<void()> report_changed)
    : grant_(std::move(grant)),
      collaborators_(collaborators),
      deadline_(collaborators.clock.Elapsed() + grant_.attempt_timeout),
      lease_(collaborators.clock, [this] { wake_.Wake(); }),
      report_(std::make_shared<AttemptReport>(collaborators.clock, std::move(report_changed))) {}

void Attempt::Run() {
  log::Info("attempt taken", {{"attempt", grant_.key.attempt}, {"epoch", grant_.key.epoch}});
  std::optional<Result> result = Work();
  if (!result.has_value()) {
    log::Info("attempt lost", {{"attempt", grant_.key.attempt}, {"epoch", grant_.key.epoch}});
    return;
  }
  report_->SetPhase("report");
  report_->Progress({.phase = "report", .detail = KindOf(*result)});
  if (lease_.state() == Lease::State::kHeld) report_->AwaitDelivery(kLogDeliveryTimeout);
  Submit(*std::move(result));
}

std::optional<Result> Attempt::Work() {
  absl::StatusOr<AttemptDirectory> directory =
      AttemptDirectory::Create(collaborators_.settings.workspace_directory, collaborators_.ids);
  absl::StatusOr<Result> result =
      directory.ok() ? WorkIn(*directory) : absl::StatusOr<Result>(directory.status());
  if (result.ok()) return *std::move(result);
  if (base::ReasonOf(result.status()) == "GRANT_LOST") {
    if (lease_.stop_cause() != Lease::Cause::kTold) return std::nullopt;
    return Stop{.reason = StopReason::kTold, .detail = "the agent was asked to end"};
  }
  log::Warning("attempt failed on this host", {{"attempt", grant_.key.attempt},
                                               {"reason", base::ReasonOf(result.status())},
                                               {"error", result.status().message()}});
  return FailureOf(result.status());
}

absl::StatusOr<Result> Attempt::WorkIn(AttemptDirectory& directory) {
  const Settings& settings = collaborators_.settings;
  const WatchContext context{
      .clock = collaborators_.clock, .lease = lease_, .report = *report_, .wake = wake_};
  report_->Progress({.phase = "snapshot", .detail = grant_.commit});
  report_->Log(absl::StrCat("== fetching the snapshot of ", grant_.commit, "\n"));
  SnapshotCache snapshots(settings.snapshot_cache_directory, settings.snapshot_cache_bytes,
                          collaborators_.clock);
  RETURN_IF_ERROR(FetchSnapshot({.key = grant_.key, .commit = grant_.commit, .deadline = deadline_},
                                collaborators_.client, snapshots, directory, context));
  if (const auto* const check = std::get_if<CheckOrder>(&grant_.work)) {
    report_->SetPhase("check");
    return Validate(settings, grant_.commit, *check, deadline_, directory, context);
  }
  // The patch backend reads and writes objects; nothing there looks at files.
  RETURN_IF_ERROR(
      UnpackSnapshot(directory, grant_.commit, settings.uid, git::WorkTree::kEmpty).status());
  report_->Log("== the snapshot is unpacked\n");
  return WriteChange(settings, grant_.commit, std::get<WriteOrder>(grant_.work), deadline_,
                     directory, context);
}

absl::StatusOr<DispatcherClient::Receipt> Attempt::HandIn(const Result& result) {
  absl::Duration timeout =
      std::max(deadline_ - collaborators_.clock.Elapsed(), absl::ZeroDuration()) + kSubmitGrace;
  if (lease_.stop_cause() == Lease::Cause::kTold) timeout = kToldSubmitTimeout;
  v1::ResultReport report;
  *report.mutable_result() = ResultToProto(grant_.key, result);
  report.set_ready(collaborators_.goes_on());
  if (report.ByteSizeLong() <= kReportBytesMax) {
    std::optional<absl::StatusOr<DispatcherClient::Receipt>> receipt =
        collaborators_.session.HandIn(std::move(report), std::min(timeout, kReportTimeout));
    const bool is_final = receipt.has_value() && !DispatcherClient::IsPassing(receipt->status());
    if (is_final) return *std::move(receipt);
  }
  // After a stop the result is salvage at best: a few tries are enough.
  int tries_after_stop = 0;
  const auto abandoned = [&] {
    return lease_.state() == Lease::State::kStopped && ++tries_after_stop > kTriesAfterStopMax;
  };
  return collaborators_.client.SubmitResult(grant_.key, result, timeout, abandoned);
}

void Attempt::Submit(Result result) {
  const absl::StatusOr<DispatcherClient::Receipt> receipt = HandIn(result);
  if (!receipt.ok()) {
    log::Error("the result was not taken", {{"attempt", grant_.key.attempt},
                                            {"kind", KindOf(result)},
                                            {"error", receipt.status().message()}});
    const bool malformed =
        absl::IsInvalidArgument(receipt.status()) || absl::IsResourceExhausted(receipt.status());
    if (malformed && std::holds_alternative<Change>(result)) {
      Submit(Failure{.failure_class = FailureClass::kAgent,
                     .reason = "RESULT_REFUSED",
                     .detail = std::string(receipt.status().message())});
    }
    return;
  }
  const bool stale = *receipt == DispatcherClient::Receipt::kStale;
  log::Info(stale ? "the result was stale" : "the result was taken",
            {{"attempt", grant_.key.attempt}, {"kind", KindOf(result)}});
}

}  // namespace slipway::agent
