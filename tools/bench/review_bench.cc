#include "tools/bench/review_bench.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "tools/bench/git_flow.h"
#include "tools/bench/landing_line.h"
#include "tools/bench/patch_scan.h"
#include "tools/bench/sample_repository.h"
#include "tools/bench/server_process.h"

namespace slipway::bench {
namespace {

using nlohmann::ordered_json;

constexpr int kWarmUps = 3;

double MedianMs(std::vector<absl::Duration> times) {
  if (times.empty()) return 0;
  std::sort(times.begin(), times.end());
  return absl::ToDoubleMilliseconds(times[times.size() / 2]);
}

// The steps of many landings.
struct LandingSamples {
  std::vector<absl::Duration> inspect, candidate, verdict, merge, total;
  absl::Duration sum;

  void Add(const LandingTimes& times) {
    inspect.push_back(times.inspect);
    candidate.push_back(times.candidate);
    verdict.push_back(times.verdict);
    merge.push_back(times.merge);
    total.push_back(times.Total());
    sum += times.Total();
  }
};

ordered_json ToJson(int files, const LandingSamples& samples) {
  std::vector<absl::Duration> sorted = samples.total;
  std::sort(sorted.begin(), sorted.end());
  const size_t p99 = std::min(sorted.size() - 1, sorted.size() * 99 / 100);
  return {{"files", files},
          {"landings", samples.total.size()},
          {"merges_per_s",
           static_cast<double>(samples.total.size()) / absl::ToDoubleSeconds(samples.sum)},
          {"ms", MedianMs(samples.total)},
          {"p99_ms", absl::ToDoubleMilliseconds(sorted[p99])},
          {"inspect_ms", MedianMs(samples.inspect)},
          {"candidate_ms", MedianMs(samples.candidate)},
          {"verdict_ms", MedianMs(samples.verdict)},
          {"merge_ms", MedianMs(samples.merge)}};
}

// The reviewer and git, each on a copy of one repository; every contestant lands the same changes.
class RatioRun final {
 public:
  RatioRun(const ReviewBenchOptions& options, const ScratchDirectory& directory)
      : options_(options), directory_(directory) {}

  absl::StatusOr<ordered_json> Run() {
    const std::string source = directory_.File("peers.git");
    RETURN_IF_ERROR(SampleRepository::Make(source, options_.ratio_files));
    ASSIGN_OR_RETURN(line_, LandingLine::Open(source, directory_.File("ours")));
    RETURN_IF_ERROR(AddFlow("worktree", source, true, &GitFlow::LandByWorktree));
    RETURN_IF_ERROR(AddFlow("worktree_unsynced", source, false, &GitFlow::LandByWorktree));
    RETURN_IF_ERROR(AddFlow("temp_index", source, true, &GitFlow::LandByIndex));
    RETURN_IF_ERROR(AddFlow("temp_index_unsynced", source, false, &GitFlow::LandByIndex));
    SampleRepository changes(options_.ratio_files);
    for (int i = 0; i < kWarmUps; ++i) RETURN_IF_ERROR(Slice({changes.NextPatch()}, false));
    for (int round = 0; round < options_.rounds; ++round) {
      std::vector<std::string> patches;
      for (int i = 0; i < options_.slice; ++i) patches.push_back(changes.NextPatch());
      RETURN_IF_ERROR(Slice(patches, true));
    }
    return Report();
  }

 private:
  using Landing = absl::StatusOr<absl::Duration> (GitFlow::*)(const std::string&);

  struct Peer {
    std::string name;
    GitFlow flow;
    Landing land;
    std::vector<absl::Duration> times;
  };

  absl::Status AddFlow(const std::string& name, const std::string& source, bool durable,
                       Landing land) {
    ASSIGN_OR_RETURN(GitFlow flow, GitFlow::Clone(source, directory_.File(name), durable));
    peers_.push_back({.name = name, .flow = std::move(flow), .land = land, .times = {}});
    return absl::OkStatus();
  }

  absl::Status Slice(const std::vector<std::string>& patches, bool counted) {
    for (const std::string& patch : patches) {
      ASSIGN_OR_RETURN(const LandingTimes times, line_->Land(patch));
      if (counted) ours_.push_back(times.Total());
    }
    for (Peer& peer : peers_) {
      for (const std::string& patch : patches) {
        ASSIGN_OR_RETURN(const absl::Duration time, (peer.flow.*peer.land)(patch));
        if (counted) peer.times.push_back(time);
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ordered_json> Report() {
    ASSIGN_OR_RETURN(const std::string tree,
                     RunGit({.directory = directory_.File("ours/bench.git"),
                             .arguments = {"rev-parse", absl::StrCat(line_->tip(), "^{tree}")}}));
    const double ours = MedianMs(ours_);
    ordered_json report = {{"files", options_.ratio_files}, {"ms", ours}};
    for (Peer& peer : peers_) {
      ASSIGN_OR_RETURN(const std::string theirs, peer.flow.Tree());
      if (theirs != tree) return absl::InternalError(absl::StrCat(peer.name, " gave another tree"));
      report[absl::StrCat(peer.name, "_ms")] = MedianMs(peer.times);
      report[absl::StrCat("ratio_", peer.name)] = MedianMs(peer.times) / ours;
    }
    return report;
  }

  const ReviewBenchOptions& options_;
  const ScratchDirectory& directory_;
  std::unique_ptr<LandingLine> line_;
  std::vector<absl::Duration> ours_;
  std::vector<Peer> peers_;
};

absl::StatusOr<ordered_json> MeasureSize(const ReviewBenchOptions& options, int files,
                                         const ScratchDirectory& directory) {
  const std::string source = directory.File(absl::StrCat("size-", files, ".git"));
  const std::string mirrors = directory.File(absl::StrCat("mirror-", files));
  RETURN_IF_ERROR(SampleRepository::Make(source, files));
  LandingSamples samples;
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<LandingLine> line, LandingLine::Open(source, mirrors));
    SampleRepository changes(files);
    for (int i = 0; i < kWarmUps; ++i) RETURN_IF_ERROR(line->Land(changes.NextPatch()).status());
    for (int i = 0; i < options.landings; ++i) {
      ASSIGN_OR_RETURN(const LandingTimes times, line->Land(changes.NextPatch()));
      samples.Add(times);
    }
  }
  RETURN_IF_ERROR(base::RemoveTree(mirrors));
  RETURN_IF_ERROR(base::RemoveTree(source));
  return ToJson(files, samples);
}

void PrintTable(const ordered_json& report) {
  absl::PrintF("%9s %12s %8s %8s %8s %10s %8s %8s\n", "files", "merges/s", "ms", "p99 ms",
               "inspect", "candidate", "verdict", "merge");
  for (const ordered_json& size : report["sizes"]) {
    absl::PrintF("%9d %12.1f %8.2f %8.2f %8.2f %10.2f %8.2f %8.2f\n", size["files"].get<int>(),
                 size["merges_per_s"].get<double>(), size["ms"].get<double>(),
                 size["p99_ms"].get<double>(), size["inspect_ms"].get<double>(),
                 size["candidate_ms"].get<double>(), size["verdict_ms"].get<double>(),
                 size["merge_ms"].get<double>());
  }
  for (const auto& [name, value] : report["peers"].items()) {
    absl::PrintF("%-28s %10.2f\n", name, value.get<double>());
  }
  for (const char* name : {"scan_mb_per_s", "secrets_ms_per_mb"}) {
    absl::PrintF("%-28s %10.2f\n", name, report[name].get<double>());
  }
}

}  // namespace

absl::Status RunReviewBench(const ReviewBenchOptions& options) {
  if (options.landings < 1 || options.rounds < 1 || options.slice < 1 || options.ratio_files < 10) {
    return absl::InvalidArgumentError("landings, rounds, slice and files must be positive");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ScratchDirectory> directory,
                   ScratchDirectory::Make(options.directory));
  ordered_json report = {{"sizes", ordered_json::array()}};
  for (const int files : options.sizes) {
    if (files < 10) return absl::InvalidArgumentError("a repository needs 10 files or more");
    ASSIGN_OR_RETURN(ordered_json size, MeasureSize(options, files, *directory));
    report["sizes"].push_back(std::move(size));
  }
  ASSIGN_OR_RETURN(ordered_json peers, RatioRun(options, *directory).Run());
  report["ratio_worktree"] = peers["ratio_worktree"];
  report["ratio_temp_index"] = peers["ratio_temp_index"];
  report["peers"] = std::move(peers);
  ASSIGN_OR_RETURN(const ScanFigures scans, MeasureScans());
  report["scan_mb_per_s"] = scans.scan_mb_per_s;
  report["secrets_ms_per_mb"] = scans.secrets_ms_per_mb;
  if (options.json) {
    absl::PrintF("%s\n", report.dump(2));
  } else {
    PrintTable(report);
  }
  return absl::OkStatus();
}

void AddReviewCommand(CLI::App& app, absl::Status& status) {
  const auto options = std::make_shared<ReviewBenchOptions>();
  const auto output = std::make_shared<std::string>("table");
  CLI::App* const command =
      app.add_subcommand("review", "Landings of changes, beside git, and scans of patches");
  command->add_option("-o,--output", *output, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  command->add_option("--files", options->sizes, "Files of the repositories, a size each")
      ->delimiter(',');
  command->add_option("--landings", options->landings, "Changes at each size");
  command->add_option("--rounds", options->rounds, "Slices of each way to land");
  command->add_option("--slice", options->slice, "Changes of a slice");
  command->add_option("--directory", options->directory, "Where the repositories are made");
  command->callback([options, output, &status] {
    options->json = *output == "json";
    status = RunReviewBench(*options);
  });
}

}  // namespace slipway::bench
