#include "cli/rehearse/rehearse_command.h"

#include <signal.h>
#include <time.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/command/validator_detection.h"
#include "cli/output/display_width.h"
#include "cli/output/quantity_text.h"
#include "cli/rehearse/rehearsal.h"
#include "cli/supervisor/trial_directory.h"
#include "lib/base/error.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/signals.h"

namespace slipway::cli {
namespace {

// A plan and its branch have at most 10,000 tasks and commits.
constexpr size_t kCommitsMax = 10'000;

struct RehearseOptions {
  std::string repository = ".";
  size_t commits = 20;
  std::string branch;
  std::vector<std::string> validators;
  int agents = 0;
  size_t chain = 0;
  bool allow_dirty = false;
  bool keep = false;
};

// Whether the person asked for the end: the signals are blocked, see rpc::PrepareProcess.
absl::Status CheckInterrupted() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  const timespec now = {};
  if (sigtimedwait(&signals, nullptr, &now) <= 0) return absl::OkStatus();
  return base::Error(absl::StatusCode::kCancelled, "INTERRUPTED", "the rehearsal was interrupted");
}

// How a person sees a rehearsal: a line for each commit. Thread-safe.
class RehearsalDisplay final {
 public:
  explicit RehearsalDisplay(Output& output) : output_(output) {}

  void Say(absl::string_view line) {
    base::MutexLock lock(mutex_);
    output_.Progress(line);
  }

  void ShowReplay(const HistoricCommit& commit, const Replay& replay, size_t settled,
                  size_t total) {
    if (output_.json() && replay.verdict == Replay::Verdict::kExact) return;
    const int digits = static_cast<int>(absl::StrCat(total).size());
    std::string line =
        absl::StrFormat("[%*d/%d] %s  %s  %s", digits, settled, total, VerdictText(replay.verdict),
                        commit.commit.substr(0, 10), OneLine(commit.subject));
    if (!replay.reason.empty()) absl::StrAppend(&line, "\n    ", OneLine(replay.reason));
    if (!replay.waiver.empty()) absl::StrAppend(&line, "\n    waived: ", OneLine(replay.waiver));
    Say(line);
  }

  void ShowEnd(const RehearsalReport& report) {
    if (output_.json()) return output_.Line(report.Json());
    TextTable table({{"REPLAYED", TextTable::Align::kRight},
                     {"EXACT", TextTable::Align::kRight},
                     {"REFUSED", TextTable::Align::kRight},
                     {"DIFFERENT", TextTable::Align::kRight},
                     {"TIME"},
                     {"PER COMMIT"}});
    const size_t commits = report.commits.size();
    const size_t exact = report.Count(Replay::Verdict::kExact);
    const size_t refused = report.Count(Replay::Verdict::kRefused);
    table.Add({absl::StrCat(commits), absl::StrCat(exact), absl::StrCat(refused),
               absl::StrCat(commits - exact - refused), DurationText(report.took),
               DurationText(report.took / static_cast<int64_t>(commits))});
    output_.Table(table);
    if (commits < report.requested) {
      output_.Progress(absl::StrCat("History has only ", commits, " of the ", report.requested,
                                    " commits that were asked for: merges and commits without a "
                                    "parent are not replayed."));
    }
    if (!report.data.empty()) output_.Progress(absl::StrCat("The data is in ", report.data));
  }

 private:
  std::string VerdictText(Replay::Verdict verdict) const {
    switch (verdict) {
      case Replay::Verdict::kExact:
        return output_.Painted(Tone::kGood, "exact    ");
      case Replay::Verdict::kRefused:
        return output_.Painted(Tone::kWarning, "refused  ");
      case Replay::Verdict::kDifferent:
      case Replay::Verdict::kPending:
        break;
    }
    return output_.Painted(Tone::kBad, "different");
  }

  Output& output_;
  base::Mutex mutex_;
};

absl::StatusOr<std::vector<common::v1::Validator>> ValidatorsOf(const RehearseOptions& options) {
  std::vector<common::v1::Validator> validators;
  for (const std::string& text : options.validators) {
    ASSIGN_OR_RETURN(common::v1::Validator validator, ParseValidator(text));
    validators.push_back(std::move(validator));
  }
  return validators;
}

absl::StatusOr<ExitCode> Rehearse(const RehearseOptions& options, Invocation& invocation) {
  rpc::PrepareProcess();  // An interrupted rehearsal stops its services and removes its data.
  ASSIGN_OR_RETURN(std::vector<common::v1::Validator> validators, ValidatorsOf(options));
  ASSIGN_OR_RETURN(
      const TrialDirectory directory,
      TrialDirectory::Make("rehearsal", invocation.options().target.data, options.keep));
  RehearsalDisplay display(invocation.output());
  std::error_code error;
  Rehearsal rehearsal(
      {.data = DataDirectory(directory.path()),
       .source =
           {.repository =
                std::filesystem::absolute(options.repository, error).lexically_normal().string(),
            .branch = options.branch,
            .allow_dirty = options.allow_dirty},
       .commits = options.commits,
       .validators = std::move(validators),
       .agents = options.agents,
       .stretch_max = options.chain,
       .report = [&display](absl::string_view line) { display.Say(line); },
       .on_replay = [&display](
                        const HistoricCommit& commit, const Replay& replay, size_t settled,
                        size_t total) { display.ShowReplay(commit, replay, settled, total); },
       .check = CheckInterrupted},
      invocation.clock());
  absl::StatusOr<RehearsalReport> report = rehearsal.Run();
  if (!report.ok()) {
    if (directory.keep()) display.Say(absl::StrCat("The data is in ", directory.path()));
    return report.status();
  }
  if (directory.keep()) report->data = directory.path();
  display.ShowEnd(*report);
  return report->Passed() ? ExitCode::kOk : ExitCode::kFailed;
}

}  // namespace

void AddRehearseCommand(CommandSet& commands) {
  const auto options = std::make_shared<RehearseOptions>();
  CLI::App& command = commands.Add(
      "rehearse",
      "Replay the newest commits of a repository as tasks, and compare every tree with history",
      [options](Invocation& invocation) { return Rehearse(*options, invocation); });
  command.add_option("--repo", options->repository, "The repository; only read; default .");
  command.add_option("--commits,-n", options->commits, "How many commits; default 20")
      ->check(CLI::Range(size_t{1}, kCommitsMax));
  command.add_option("--branch,-b", options->branch, "The branch; default: what is checked out");
  command.add_option("--validator", options->validators,
                     "Validator to run on every tree: NAME=COMMAND ARGUMENTS; can be repeated");
  command.add_option("--agents", options->agents, "Most agents at once")->check(CLI::Range(1, 64));
  command.add_option("--chain", options->chain, "Most commits in one plan")
      ->check(CLI::Range(size_t{1}, kCommitsMax));
  command.add_flag("--allow-dirty", options->allow_dirty,
                   "Rehearse although there are changes that are not committed");
  command.add_flag("--keep", options->keep, "Keep the data directory, to look into it");
}

}  // namespace slipway::cli
