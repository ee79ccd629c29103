#include "agent/supervisor/validation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/domain/errors.h"
#include "agent/domain/limits.h"
#include "agent/domain/text_cleaner.h"
#include "agent/supervisor/snapshot.h"
#include "agent/supervisor/watch_result.h"
#include "lib/base/error.h"
#include "lib/base/head_and_tail.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/patch/path_rules.h"
#include "lib/policy/secret_stream.h"

namespace slipway::agent {
namespace {

using End = WatchOutcome::End;

constexpr int kNotRun = 127;  // As a shell says it.

// The beginning and the end of what a validator prints, without credentials: a tree may hold some
// from before it was watched. The beginning, up to `log_bytes_max`, goes to the log.
class OutputTail final {
 public:
  OutputTail(AttemptReport& report, const CheckOrder& order)
      : report_(report), log_room_(order.log_bytes_max), cleaner_(order.secrets) {}

  absl::Status Take(absl::string_view bytes) {
    Keep(secrets_.Feed(cleaner_.Feed(bytes)));
    return absl::OkStatus();
  }

  std::string Finish() {
    Keep(secrets_.Feed(cleaner_.Finish()));
    Keep(secrets_.Finish());
    // A cut may have split a character.
    size_t begin = 0;
    while (cut_ && begin < tail_.size() && (tail_[begin] & 0xc0) == 0x80) ++begin;
    const std::string end = base::ToUtf8(absl::string_view(tail_).substr(begin), 3 * tail_.size());
    std::string text = base::ToUtf8(head_, 3 * head_.size());
    if (dropped_ > 0) text.append(base::LeftOut(dropped_ + begin));
    // Replaced bytes grow.
    return base::HeadAndTail(absl::StrCat(text, end), kOutputHeadBytes, kOutputTailBytesMax);
  }

 private:
  void Keep(const std::string& text) {
    Log(text);
    const size_t first = std::min(text.size(), kOutputHeadBytes - head_.size());
    head_.append(text, 0, first);
    tail_.append(text, first);
    constexpr size_t kTailBytes = kOutputTailBytesMax - kOutputHeadBytes - kLeftOutBytes;
    if (tail_.size() <= kTailBytes) return;
    // What fits whole is not cut: only the end says whether it does.
    if (dropped_ == 0 && tail_.size() <= kOutputTailBytesMax - kOutputHeadBytes) return;
    dropped_ += tail_.size() - kTailBytes;
    tail_.erase(0, tail_.size() - kTailBytes);
    cut_ = true;
  }

  void Log(absl::string_view text) {
    if (log_room_ == 0) return;
    const bool all = text.size() < log_room_;
    report_.Log(all ? text : text.substr(0, log_room_));
    if (!all) report_.Log("\n[more output of this validator is not logged]\n");
    log_room_ = all ? log_room_ - text.size() : 0;
  }

  AttemptReport& report_;
  size_t log_room_;
  TextCleaner cleaner_;
  policy::SecretStream secrets_;
  std::string head_;
  std::string tail_;
  size_t dropped_ = 0;  // Bytes between them.
  bool cut_ = false;
};

// Why the validator must not run; empty when it may.
std::string Objection(const Settings& settings, const Validator& validator) {
  if (validator.command.empty()) return "the validator has no command";
  const std::string& program = validator.command[0];
  if (!settings.Allows(program)) {
    return absl::StrCat("the program '", program,
                        "' is not allowed on this host; the agent's configuration lists the "
                        "allowed ones in validator_programs: ",
                        absl::StrJoin(settings.validator_programs, ", "));
  }
  if (!validator.directory.empty()) {
    const absl::Status sound = patch::CheckPath(validator.directory);
    if (!sound.ok()) return absl::StrCat("the directory is not sound: ", sound.message());
  }
  return "";
}

ValidatorOutcome NotRun(const Validator& validator, AttemptReport& report, std::string why) {
  report.Log(absl::StrCat(why, "\n"));
  return {.validator = validator.name,
          .exit_code = kNotRun,
          .not_run = true,
          .output_tail = std::move(why)};
}

// Whether the program is a file of the tree, and not one of the host.
bool InTree(const Validator& validator) {
  const std::string& program = validator.command[0];
  return absl::StrContains(program, "/") && !absl::StartsWith(program, "/");
}

// A WatchOutcome that ends the attempt, or the validator's own.
struct Run {
  WatchOutcome watch;
  ValidatorOutcome outcome;
};

absl::StatusOr<Run> RunOne(const Settings& settings, const Validator& validator,
                           const CheckOrder& order, absl::Duration deadline,
                           const AttemptDirectory& directory, const WatchContext& context) {
  Run run{.outcome = {.validator = validator.name}};
  OutputTail tail(context.report, order);
  WatchOptions options{.spec = settings.BaseSpec(),
                       .run_timeout = validator.run_timeout,
                       .deadline = deadline,
                       .on_out = [&](absl::string_view bytes) { return tail.Take(bytes); }};
  options.spec.argv = validator.command;
  options.spec.workspace = directory.workspace();
  if (!validator.directory.empty()) {
    options.spec.working_directory = absl::StrCat("/workspace/", validator.directory);
  }
  const absl::StatusOr<WatchOutcome> watched = WatchSandbox(std::move(options), context);
  run.outcome.output_tail = tail.Finish();
  if (!watched.ok()) {
    const bool no_directory =
        base::ReasonOf(watched.status()) == "SANDBOX_START_FAILED" && !validator.directory.empty();
    if (!no_directory) return watched.status();
    run.outcome = NotRun(validator, context.report,
                         absl::StrCat("the validator could not start in the directory '",
                                      validator.directory, "': ", run.outcome.output_tail));
    run.outcome.not_run = false;  // A directory of the tree, which a change can make.
    return run;
  }
  run.watch = *watched;
  run.outcome.exit_code = watched->end == End::kRunTimeout ? 128 + 9 : watched->code;
  run.outcome.timed_out = watched->end == End::kRunTimeout;
  run.outcome.run_duration = watched->run_duration;
  if (run.outcome.exit_code == kNotRun &&
      absl::StrContains(run.outcome.output_tail, "prlimit: failed to execute")) {
    run.outcome = NotRun(validator, context.report,
                         absl::StrCat("the program '", validator.command[0],
                                      "' does not exist in the sandbox; install it below /usr or "
                                      "name its directory in tool_directories"));
    run.outcome.not_run = !InTree(validator);
  }
  return run;
}

}  // namespace

absl::StatusOr<Result> Validate(const Settings& settings, const std::string& commit,
                                const CheckOrder& order, absl::Duration deadline,
                                AttemptDirectory& directory, const WatchContext& context) {
  Evidence evidence{.tree = order.tree, .validator_digest = order.validator_digest};
  for (const Validator& validator : order.validators) {
    ASSIGN_OR_RETURN(const std::string tree,
                     UnpackSnapshot(directory, commit, settings.uid, git::WorkTree::kCheckedOut));
    if (tree != order.tree) return TreeMismatch(order.tree, tree);
    context.report.Progress({.phase = order.phase, .detail = base::ToUtf8(validator.name, 200)});
    context.report.Log(
        absl::StrCat("== ", validator.name, ": ", absl::StrJoin(validator.command, " "), "\n"));
    const std::string objection = Objection(settings, validator);
    if (!objection.empty()) {
      evidence.outcomes.push_back(NotRun(validator, context.report, objection));
      break;
    }
    ASSIGN_OR_RETURN(Run run, RunOne(settings, validator, order, deadline, directory, context));
    const End end = run.watch.end;
    if (end == End::kStopped || end == End::kDeadline) return ResultOfEnd(end, context.lease);
    const bool passed = run.outcome.passed();
    context.report.Log(absl::StrCat("== ", validator.name, passed ? " passed\n" : " failed\n"));
    evidence.outcomes.push_back(std::move(run.outcome));
    if (!passed) break;
  }
  return evidence;
}

}  // namespace slipway::agent
