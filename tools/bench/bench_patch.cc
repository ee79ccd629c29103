// Reading and exactly applying a patch with lib/patch, in memory, against `git apply --cached` of
// the same patch. Git's time includes its start, its index and the look-up of objects, as a caller
// of the program pays for them; the objects exist already, so that git writes none.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "lib/base/process.h"
#include "lib/patch/applier.h"
#include "lib/patch/fake_base_view.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"

namespace slipway::patch {
namespace {

namespace fs = std::filesystem;

constexpr int kFiles = 200;
constexpr int kLinesPerFile = 400;
constexpr int kLinesBetweenEdits = 80;  // Five hunks in each file.
constexpr int kRuns = 21;               // Odd: the median is one of them.
constexpr absl::string_view kOurs = "lib_patch";
constexpr absl::string_view kGits = "git_apply_cached";
constexpr absl::string_view kStart = "git_version";  // What git takes to start, whatever it does.

std::string PathOf(int file) {
  return absl::StrFormat("src/part%02d/file%03d.txt", file % 20, file);
}

std::string Content(int file, bool edited) {
  std::string content;
  for (int line = 0; line < kLinesPerFile; ++line) {
    const bool changed = edited && line % kLinesBetweenEdits == kLinesBetweenEdits / 2;
    absl::StrAppend(&content, "line ", line, " of file ", file, changed ? " is changed\n" : "\n");
  }
  return content;
}

// The tree before, and the patch that changes each of its files.
struct Workload {
  FakeBaseView tree;
  std::string diff;
};

Workload MakeWorkload() {
  Workload workload;
  std::vector<FileDiff> diffs;
  for (int file = 0; file < kFiles; ++file) {
    const std::string before = Content(file, false);
    workload.tree.Put(PathOf(file), before);
    diffs.push_back({.path = PathOf(file),
                     .before = FileState{.mode = kRegular, .content = before},
                     .after = FileState{.mode = kRegular, .content = Content(file, true)}});
  }
  workload.diff = RenderUnified(diffs);
  return workload;
}

absl::StatusOr<std::vector<TreeChange>> ReadAndApply(Workload& workload) {
  const absl::StatusOr<Patch> patch = ParseUnified(workload.diff);
  if (!patch.ok()) return patch.status();
  return Apply(*patch, workload.tree);
}

// A bare repository in a directory of its own, removed with it, whose index holds the tree before.
class GitRepository final {
 public:
  GitRepository() {
    std::string name = (fs::temp_directory_path() / "bench_patch.XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) directory_ = name;
  }
  GitRepository(const GitRepository&) = delete;
  GitRepository& operator=(const GitRepository&) = delete;
  ~GitRepository() {
    std::error_code ignored;
    if (!directory_.empty()) fs::remove_all(directory_, ignored);
  }

  absl::Status Fill(const FakeBaseView& tree) {
    if (directory_.empty()) return absl::UnavailableError("no temporary directory");
    absl::StatusOr<std::string> out = Run({"init", "--quiet", "--bare"});
    std::string index;
    for (const auto& [path, state] : tree.files()) {
      if (!out.ok()) return out.status();
      out = Run({"hash-object", "-w", "--stdin"}, state.content);
      absl::StrAppendFormat(&index, "%06o %s\t%s\n", state.mode, state.oid, path);
    }
    if (out.ok()) out = Run({"update-index", "--index-info"}, index);
    if (!out.ok()) return out.status();
    fs::copy_file(directory_ / "index", directory_ / "index.before", error_);
    return error_ ? absl::UnavailableError(error_.message()) : absl::OkStatus();
  }

  // Puts the index back to the tree before.
  absl::Status Restore() {
    fs::copy_file(directory_ / "index.before", directory_ / "index",
                  fs::copy_options::overwrite_existing, error_);
    return error_ ? absl::UnavailableError(error_.message()) : absl::OkStatus();
  }

  absl::Status Apply(const std::string& diff) { return Run({"apply", "--cached"}, diff).status(); }

  absl::Status Start() { return Run({"version"}).status(); }

  // "mode oid stage\tpath" of every file, in order of path.
  absl::StatusOr<std::string> List() { return Run({"ls-files", "--stage"}); }

 private:
  absl::StatusOr<std::string> Run(const std::vector<std::string>& args,
                                  const std::string& input = "") {
    base::Process::Options options;
    options.argv = {"git"};
    options.argv.insert(options.argv.end(), args.begin(), args.end());
    options.env = {{"GIT_DIR", directory_.string()},
                   {"GIT_CONFIG_NOSYSTEM", "1"},
                   {"GIT_CONFIG_GLOBAL", "/dev/null"},
                   {"LC_ALL", "C"}};
    options.inherit_env = true;
    options.directory = directory_.string();
    absl::StatusOr<base::CommandResult> result =
        base::RunCommand(std::move(options), absl::Seconds(60), input);
    if (!result.ok()) return result.status();
    if (!result->exit.ok()) return absl::InternalError(absl::StrCat(args[0], ": ", result->err));
    return std::move(result->out);
  }

  fs::path directory_;
  std::error_code error_;
};

// Both ways must give the same tree, or their times mean nothing. Leaves the objects in `git`.
absl::Status CheckSameResult(Workload& workload, GitRepository& git) {
  const absl::StatusOr<std::vector<TreeChange>> changes = ReadAndApply(workload);
  if (!changes.ok()) return changes.status();
  std::string ours;
  for (const TreeChange& change : *changes) {
    absl::StrAppendFormat(&ours, "%06o %s 0\t%s\n", change.after->mode, change.after->oid,
                          change.path);
  }
  if (const absl::Status applied = git.Apply(workload.diff); !applied.ok()) return applied;
  const absl::StatusOr<std::string> gits = git.List();
  if (!gits.ok()) return gits.status();
  return ours == *gits ? absl::OkStatus() : absl::InternalError("git made a different tree");
}

void TimeOurs(benchmark::State& state, Workload& workload) {
  for (auto _ : state) {
    absl::StatusOr<std::vector<TreeChange>> changes = ReadAndApply(workload);
    benchmark::DoNotOptimize(changes);
    if (!changes.ok()) state.SkipWithError(changes.status().ToString().c_str());
  }
}

void TimeGit(benchmark::State& state, Workload& workload, GitRepository& git) {
  for (auto _ : state) {
    state.PauseTiming();
    absl::Status status = git.Restore();
    state.ResumeTiming();
    if (status.ok()) status = git.Apply(workload.diff);
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  }
}

void TimeStart(benchmark::State& state, GitRepository& git) {
  for (auto _ : state) {
    const absl::Status status = git.Start();
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  }
}

// Prints the aggregates as usual and keeps the medians.
class MedianReporter final : public benchmark::ConsoleReporter {
 public:
  MedianReporter() : ConsoleReporter(::isatty(1) != 0 ? OO_Defaults : OO_None) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      failed_ = failed_ || run.error_occurred;
      if (run.aggregate_name != "median") continue;
      const std::string& name = run.run_name.function_name;
      (name == kOurs ? ours_ : name == kGits ? gits_ : start_) = run.GetAdjustedRealTime();
    }
  }

  // False when a run failed or has no median.
  bool PrintRatio() const {
    if (failed_ || ours_ <= 0 || gits_ <= 0 || start_ <= 0) return false;
    absl::PrintF(
        "p50 of %d: lib/patch %.2f ms, git apply --cached %.2f ms (%.2f ms to start git); "
        "git takes %.1f times, %.1f times without its start\n",
        kRuns, ours_, gits_, start_, gits_ / ours_, (gits_ - start_) / ours_);
    return true;
  }

 private:
  bool failed_ = false;
  double ours_ = 0;
  double gits_ = 0;
  double start_ = 0;
};

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Workload workload = MakeWorkload();
  GitRepository git;
  absl::Status status = git.Fill(workload.tree);
  if (status.ok()) status = CheckSameResult(workload, git);
  if (!status.ok()) {
    absl::FPrintF(stderr, "bench_patch: %s\n", status.ToString());
    return 1;
  }
  absl::PrintF("%d files, %d lines each, patch of %d bytes\n", kFiles, kLinesPerFile,
               workload.diff.size());
  const auto configure = [](benchmark::internal::Benchmark* timed) {
    timed->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(1)->Repetitions(kRuns);
    timed->ReportAggregatesOnly();
  };
  configure(benchmark::RegisterBenchmark(
      std::string(kOurs).c_str(), [&](benchmark::State& state) { TimeOurs(state, workload); }));
  configure(benchmark::RegisterBenchmark(
      std::string(kGits).c_str(), [&](benchmark::State& state) { TimeGit(state, workload, git); }));
  configure(benchmark::RegisterBenchmark(std::string(kStart).c_str(),
                                         [&](benchmark::State& state) { TimeStart(state, git); }));
  MedianReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return reporter.PrintRatio() ? 0 : 1;
}

}  // namespace
}  // namespace slipway::patch

int main(int argc, char** argv) { return slipway::patch::Main(argc, argv); }
