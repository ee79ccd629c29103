#include "agent/supervisor/change_work.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "agent/domain/errors.h"
#include "agent/domain/frame.h"
#include "agent/domain/limits.h"
#include "agent/domain/repair.h"
#include "agent/domain/runner_message.h"
#include "agent/domain/text_cleaner.h"
#include "agent/domain/work_file.h"
#include "agent/supervisor/change_check.h"
#include "agent/supervisor/watch_result.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/http/forward.h"
#include "lib/rpc/socket_path.h"

namespace slipway::agent {
namespace {

// Enough for bubblewrap's reason or the end of a stack trace.
constexpr size_t kErrorTailBytesMax = 2u << 10;

// What the runner said, put together.
class RunnerOutput final {
 public:
  RunnerOutput(AttemptReport& report, const std::string& secret)
      : report_(report), log_cleaner_({secret}), error_cleaner_({secret}) {}

  absl::Status TakeFrames(absl::string_view bytes) {
    return frames_.Feed(bytes, [this](absl::string_view frame) { return TakeFrame(frame); });
  }

  absl::Status TakeErrors(absl::string_view bytes) {
    LogErrors(error_cleaner_.Feed(bytes));
    return absl::OkStatus();
  }

  // The runner is gone. What it came to; absent when it never said.
  std::optional<Result> Finish() {
    report_.Log(log_cleaner_.Finish());
    LogErrors(error_cleaner_.Finish());
    return std::move(result_);
  }

  const std::string& error_tail() const { return error_tail_; }

 private:
  absl::Status TakeFrame(absl::string_view frame) {
    if (result_.has_value()) return RunnerProtocol("a message after the result");
    ASSIGN_OR_RETURN(RunnerMessage message, DecodeMessage(frame));
    return std::visit([this](auto& part) { return TakeMessage(part); }, message);
  }

  absl::Status TakeMessage(ProgressNote& note) {
    report_.Progress(std::move(note));
    return absl::OkStatus();
  }
  absl::Status TakeMessage(LogText& log) {
    report_.Log(log_cleaner_.Feed(log.text));
    return absl::OkStatus();
  }
  absl::Status TakeMessage(PatchPiece& piece) {
    if (patch_.size() + piece.bytes.size() > kPatchBytesMax) return PatchTooLarge();
    patch_.append(piece.bytes);
    return absl::OkStatus();
  }
  absl::Status TakeMessage(Change& change) {
    if (patch_.empty()) return RunnerProtocol("a change without a patch");
    change.patch = std::move(patch_);
    result_ = std::move(change);
    return absl::OkStatus();
  }
  absl::Status TakeMessage(Failure& failure) {
    TextCleaner cleaner;
    failure.detail = cleaner.Feed(failure.detail);
    result_ = std::move(failure);
    return absl::OkStatus();
  }
  absl::Status TakeMessage(Stop& stop) {
    result_ = std::move(stop);
    return absl::OkStatus();
  }

  void LogErrors(const std::string& text) {
    report_.Log(text);
    error_tail_.append(text);
    if (error_tail_.size() > kErrorTailBytesMax) {
      error_tail_.erase(0, error_tail_.size() - kErrorTailBytesMax);
    }
  }

  AttemptReport& report_;
  FrameReader frames_;
  TextCleaner log_cleaner_;
  TextCleaner error_cleaner_;
  std::string error_tail_;
  std::string patch_;
  std::optional<Result> result_;
};

absl::Status GiveTo(const std::string& path, mode_t mode, uid_t uid) {
  if (geteuid() == 0 && lchown(path.c_str(), uid, uid) != 0) return base::ErrnoStatus(errno, path);
  if (chmod(path.c_str(), mode) != 0) return base::ErrnoStatus(errno, path);
  return absl::OkStatus();
}

// The run directory's socket, which leads to the models proxy and nowhere else.
class ModelForward final {
 public:
  absl::Status Start(const std::string& target, const std::string& run, uid_t uid,
                     AttemptReport& report) {
    const std::string path = run + "/models.sock";
    directory_ = base::UniqueFd(open(run.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory_.valid()) return base::ErrnoStatus(errno, run);
    // A long path does not fit a socket's address; this one to the same place does.
    const std::string listen =
        path.size() <= rpc::kSocketPathBytesMax
            ? path
            : absl::StrCat("/proc/self/fd/", directory_.get(), "/models.sock");
    ASSIGN_OR_RETURN(forward_,
                     http::Forward::Start({.listen = "unix:" + listen,
                                           .target = std::string(absl::StripSuffix(
                                               absl::StripPrefix(target, "http://"), "/")),
                                           .on_bytes = [&report] { report.Active(); }}));
    return GiveTo(path, 0600, uid);
  }

 private:
  base::UniqueFd directory_;
  std::unique_ptr<http::Forward> forward_;
};

absl::Status WriteWorkFile(const WorkFile& work, const std::string& run, uid_t uid) {
  const std::string path = run + "/work.json";
  RETURN_IF_ERROR(base::WriteFileAtomic(path, EncodeWorkFile(work)));
  return GiveTo(path, 0400, uid);
}

sandbox::Spec RunnerSpec(const Settings& settings, const WriteOrder& order,
                         const AttemptDirectory& directory) {
  sandbox::Spec spec = settings.BaseSpec();
  spec.argv = {kProgramInside, "--runner"};
  spec.env[kModelKeyVariable] = order.model_key;
  spec.read_only.push_back({.host = settings.program, .inside = kProgramInside});
  spec.workspace = directory.workspace();
  spec.run_directory = directory.run();
  return spec;
}

// An attempt that writes a change, over all its rounds. Each gets a runner of its own, which goes
// on with the conversation; between them nothing of the attempt runs but the validators.
class ChangeWork final {
 public:
  ChangeWork(const Settings& settings, const std::string& commit, const WriteOrder& order,
             absl::Duration deadline, AttemptDirectory& directory, const WatchContext& context)
      : settings_(settings),
        order_(order),
        directory_(directory),
        context_(context),
        work_{.commit = commit, .order = order},
        check_(settings, commit, order, directory, context),
        repair_(order.repair_rounds_max, context.clock.Elapsed(), deadline) {}

  absl::StatusOr<Result> Run() {
    while (true) {
      work_.order.repair_rounds_max = repair_.rounds_left();
      context_.report.SetPhase("work");
      absl::StatusOr<Result> result = RunRunner();
      Change* const change = result.ok() ? std::get_if<Change>(&*result) : nullptr;
      if (change == nullptr) return Fall(std::move(result));
      if (order_.validators.empty()) return result;
      ASSIGN_OR_RETURN(const CheckVerdict verdict, check_.Run(*change, repair_.check_deadline()));
      if (context_.lease.state() == Lease::State::kStopped) {
        return ResultOfEnd(WatchOutcome::End::kStopped, context_.lease);
      }
      std::string findings = FindingsText(order_.validators, change->outcomes);
      const Repair::Decision decision =
          repair_.Take(std::move(*change), verdict, context_.clock.Elapsed());
      context_.report.Log(absl::StrCat("== ", decision.why, "\n"));
      if (!decision.ask) return Report();
      context_.report.Progress({.phase = "repair", .detail = decision.why});
      work_.findings = std::move(findings);
    }
  }

 private:
  absl::StatusOr<Result> RunRunner();

  // A round without a change: the one of an earlier round counts, unless nothing may be handed in.
  absl::StatusOr<Result> Fall(absl::StatusOr<Result> result) {
    const bool stopped = context_.lease.state() == Lease::State::kStopped;
    if (!repair_.has_change() || stopped) return result;
    const auto* const failure = result.ok() ? std::get_if<Failure>(&*result) : nullptr;
    const auto* const stop = result.ok() ? std::get_if<Stop>(&*result) : nullptr;
    const std::string why = failure != nullptr ? failure->reason
                            : stop != nullptr  ? stop->detail
                                               : std::string(result.status().message());
    context_.report.Log(absl::StrCat("== no repaired change: ", base::ToUtf8(why, 512), "\n"));
    return Report();
  }

  Change Report() {
    Change change = repair_.TakeBest();
    for (const ValidatorOutcome& outcome : change.outcomes) {
      absl::StrAppend(&change.summary, "\n", OutcomeText(outcome), " (run by the agent)");
    }
    if (change.repair_rounds > 0) {
      absl::StrAppend(&change.summary, "\nrounds of repair: ", change.repair_rounds);
    }
    change.summary = base::ToUtf8(change.summary, kSummaryBytesMax);
    context_.report.Log(absl::StrCat("== handing in the change\n", change.summary, "\n"));
    return change;
  }

  const Settings& settings_;
  const WriteOrder& order_;
  const AttemptDirectory& directory_;
  const WatchContext& context_;
  WorkFile work_;
  ChangeCheck check_;
  Repair repair_;
};

absl::StatusOr<Result> ChangeWork::RunRunner() {
  RETURN_IF_ERROR(WriteWorkFile(work_, directory_.run(), settings_.uid));
  RunnerOutput output(context_.report, order_.model_key);
  WatchOptions options{.spec = RunnerSpec(settings_, order_, directory_),
                       .deadline = repair_.round_deadline(),
                       .on_out = [&](absl::string_view bytes) { return output.TakeFrames(bytes); },
                       .on_err = [&](absl::string_view bytes) { return output.TakeErrors(bytes); }};
  ASSIGN_OR_RETURN(const WatchOutcome outcome, WatchSandbox(std::move(options), context_));
  std::optional<Result> result = output.Finish();
  // A result that came before the end counts, whatever ended the runner then.
  if (result.has_value() && outcome.end != WatchOutcome::End::kRefused) return *std::move(result);
  if (outcome.end == WatchOutcome::End::kRefused) {
    return Failure{.failure_class = FailureClass::kAgent,
                   .reason = base::ReasonOf(outcome.refusal),
                   .detail = std::string(outcome.refusal.message())};
  }
  if (outcome.end != WatchOutcome::End::kExited) return ResultOfEnd(outcome.end, context_.lease);
  return Failure{
      .failure_class = FailureClass::kInfrastructure,
      .reason = "RUNNER_DIED",
      .detail = absl::StrCat("the runner ended with code ", outcome.code, " and without a result: ",
                             base::ToUtf8(output.error_tail(), kErrorTailBytesMax))};
}

}  // namespace

absl::StatusOr<Result> WriteChange(const Settings& settings, const std::string& commit,
                                   const WriteOrder& order, absl::Duration deadline,
                                   AttemptDirectory& directory, const WatchContext& context) {
  ModelForward forward;
  const std::string& proxy =
      settings.models_address.empty() ? order.model_proxy : settings.models_address;
  RETURN_IF_ERROR(forward.Start(proxy, directory.run(), settings.uid, context.report));
  return ChangeWork(settings, commit, order, deadline, directory, context).Run();
}

}  // namespace slipway::agent
