#include "tools/bench/models_bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/client_call.h"
#include "tools/bench/closed_loop.h"
#include "tools/bench/completion_load.h"
#include "tools/bench/model_peers.h"
#include "tools/bench/own_server.h"
#include "tools/bench/server_process.h"
#include "tools/bench/slipway_suite.h"

namespace slipway::bench {
namespace {

using nlohmann::ordered_json;

// Enough that a percentile at 99 is not one of them.
constexpr double kCommitProbesPerSecond = 50;
constexpr double kGoldenRatio = 0.6180339887498949;
constexpr absl::Duration kStreamPace = absl::Milliseconds(4);  // Between openings of streams.
constexpr absl::Duration kStreamWatch = absl::Seconds(4);      // With all of them open.
constexpr absl::Duration kEndPatience = absl::Seconds(10);
constexpr absl::Duration kWarmUp = absl::Seconds(1);
constexpr double kMegabyte = 1e6;
constexpr int64_t kPromptBytesMax = 4'000'000;  // Half of what the proxy takes.
// For so many rounds of slipway peers have one: what they take is not in question at its last
// microsecond, and one of them does not keep up.
constexpr int kRoundsOfPeers = 3;

// Waits without an event: what is measured goes on meanwhile.
void Watch(absl::Duration length) {
  base::Mutex mutex;
  base::CondVar never;
  const absl::Duration end = base::RealClock().Elapsed() + length;
  base::MutexLock lock(mutex);
  for (absl::Duration left; (left = end - base::RealClock().Elapsed()) > absl::ZeroDuration();) {
    never.WaitFor(mutex, left);
  }
}

// Takes holds of the ledger at a low rate beside a load, to tell what one commit takes meanwhile.
// The pauses between them differ, so that they meet the load at any point of its own rhythm.
class CommitProbe final {
 public:
  explicit CommitProbe(LedgerClient& ledger) : thread_([this, &ledger] { Run(ledger); }) {}
  ~CommitProbe() {
    ending_ = true;
    thread_.join();
  }
  absl::StatusOr<std::vector<float>> End() {
    ending_ = true;
    while (!ended_) Watch(absl::Milliseconds(5));
    if (!error_.ok()) return error_;
    return std::move(times_us_);
  }

 private:
  void Run(LedgerClient& ledger) {
    using Stub = LedgerClient::Stub;
    base::Clock& clock = base::RealClock();
    double pause = 0;  // 0 to 1, evenly and in no rhythm.
    while (!ending_ && error_.ok()) {
      const absl::Duration begin = clock.Elapsed();
      const auto held = rpc::CallUnary(ledger.stub(), &Stub::Reserve, ReserveRequestOf(NewKey()));
      times_us_.push_back(static_cast<float>(absl::ToDoubleMicroseconds(clock.Elapsed() - begin)));
      error_.Update(held.status());
      pause = std::fmod(pause + kGoldenRatio, 1);
      Watch(absl::Seconds((0.5 + pause) / kCommitProbesPerSecond) - (clock.Elapsed() - begin));
    }
    ended_ = true;
  }

  std::atomic<bool> ending_ = false;
  std::atomic<bool> ended_ = false;
  std::vector<float> times_us_;
  absl::Status error_;
  std::thread thread_;
};

struct ModelContestant {
  std::string name;
  CompletionTarget load;
  CompletionTarget open;  // For streams that stay open.
  pid_t session = 0;      // 0: has no process of its own.
  std::string missing;    // Why it was not measured; empty when it was.
  CompletionTimes whole;
  CompletionTimes streamed;
  // Of the direct connection, between its slices.
  CompletionTimes direct_whole;
  CompletionTimes direct_streamed;
  // Of the ledger, beside its slices of each kind.
  std::vector<float> commits_us;
  std::vector<float> streamed_commits_us;
  double streams_rss_mb = -1;
  double idle_rss_mb = -1;
  int streams_open = 0;
  int streams_whole = 0;
  int threads = 0;
  std::string streams_failure;
};

// What `contestant` takes longer than the direct connection does, in one percentile.
double Added(const std::vector<float>& times, const std::vector<float>& direct, double share) {
  return Percentile(times, share) - Percentile(direct, share);
}

class ModelsBench final {
 public:
  explicit ModelsBench(const ModelsBenchOptions& options) : options_(options) {}

  absl::Status Run() {
    AllowStreams();
    ASSIGN_OR_RETURN(directory_, ScratchDirectory::Make(options_.directory));
    RETURN_IF_ERROR(StartUpstream());
    RETURN_IF_ERROR(StartSlipway());
    RETURN_IF_ERROR(Measure(slipway(), options_.rounds));
    RETURN_IF_ERROR(CountLeftCalls());
    if (options_.peers) {
      RETURN_IF_ERROR(MeasurePeer("nginx", &ModelsBench::StartNginxPeer));
      RETURN_IF_ERROR(MeasurePeer("litellm", &ModelsBench::StartLiteLlmPeer));
    }
    options_.json ? PrintJson() : PrintTable();
    return absl::OkStatus();
  }

 private:
  static void AllowStreams() {
    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }

  absl::Status StartUpstream() {
    ASSIGN_OR_RETURN(const int port, FreePort());
    upstream_address_ = absl::StrCat("127.0.0.1:", port);
    ASSIGN_OR_RETURN(upstream_,
                     HttpProcess::Start({.argv = {OwnProgram(), "serve", "completions", "--listen",
                                                  upstream_address_},
                                         .inherit_env = true,
                                         .fds = {{2, 2}}},
                                        absl::StrCat("http://", upstream_address_, "/"),
                                        absl::Seconds(20), "the endpoint cannot be started"));
    direct_ = {.name = "direct", .load = Through(upstream_address_, kLoadShape)};
    return absl::OkStatus();
  }

  static CompletionTarget Through(const std::string& address, const std::string& shape) {
    return {.url = absl::StrCat("http://", address, shape, "/v1"), .model = "bench-model"};
  }

  absl::Status StartSlipway() {
    const std::string program =
        options_.models.empty() ? ProgramBeside("slipway-models") : options_.models;
    ASSIGN_OR_RETURN(suite_, SlipwaySuite::Start({.directory = directory_->path(),
                                                  .models = program,
                                                  .upstream = upstream_address_}));
    slipway_ = {.name = "slipway",
                .load = suite_->Target("builder"),
                .open = suite_->Target("long"),
                .session = suite_->models_pid()};
    return absl::OkStatus();
  }

  using StartPeer =
      absl::StatusOr<std::unique_ptr<HttpProcess>> (ModelsBench::*)(ModelContestant& peer);

  // What cannot be started is told with its reason. It is stopped before the next is measured, so
  // that nothing it has yet to do disturbs that.
  absl::Status MeasurePeer(const std::string& name, StartPeer start) {
    ModelContestant peer = {.name = name};
    absl::Status measured;
    const absl::StatusOr<std::unique_ptr<HttpProcess>> process = (this->*start)(peer);
    if (process.ok()) {
      peer.session = (*process)->pid();
      measured = Measure(peer, (options_.rounds + kRoundsOfPeers - 1) / kRoundsOfPeers);
    } else {
      peer.missing = std::string(process.status().message());
    }
    peers_.push_back(std::move(peer));
    return measured;
  }

  absl::StatusOr<std::unique_ptr<HttpProcess>> StartNginxPeer(ModelContestant& peer) {
    ASSIGN_OR_RETURN(const int port, FreePort());
    const std::string address = absl::StrCat("127.0.0.1:", port);
    peer.load = Through(address, kLoadShape);
    peer.open = Through(address, kLongShape);
    return StartNginx(directory_->File("nginx"), upstream_address_, port);
  }

  absl::StatusOr<std::unique_ptr<HttpProcess>> StartLiteLlmPeer(ModelContestant& peer) {
    ASSIGN_OR_RETURN(const int port, FreePort());
    const std::string key = base::RandomIds().NewSecret("sk-");
    const std::string url = absl::StrCat("http://127.0.0.1:", port, "/v1");
    peer.load = {.url = url, .model = "builder", .keys = {key}};
    peer.open = {.url = url, .model = "long", .keys = {key}};
    return StartLiteLlm(
        {.environment = options_.litellm.empty() ? DefaultLiteLlmEnvironment() : options_.litellm,
         .directory = directory_->File("litellm"),
         .upstream = upstream_address_,
         .port = port,
         .key = key});
  }

  // In turn with the direct connection, so that both meet the machine as it is in these minutes.
  absl::Status Measure(ModelContestant& contestant, int rounds) {
    for (int round = -1; round < rounds; ++round) {
      for (const bool stream : {false, true}) {
        CompletionTimes& direct = stream ? contestant.direct_streamed : contestant.direct_whole;
        RunSlice(direct_, stream, round < 0, direct, direct_.commits_us);
        CompletionTimes& own = stream ? contestant.streamed : contestant.whole;
        RunSlice(contestant, stream, round < 0, own,
                 stream ? contestant.streamed_commits_us : contestant.commits_us);
      }
    }
    return options_.streams > 0 ? HoldStreams(contestant) : absl::OkStatus();
  }

  void RunSlice(const ModelContestant& contestant, bool stream, bool warm_up,
                CompletionTimes& times, std::vector<float>& commits_us) {
    CommitProbe probe(suite_->ledger());
    const CompletionTimes slice = RunSteadyLoad(client_, contestant.load, stream, options_.rate,
                                                warm_up ? kWarmUp : options_.slice);
    if (warm_up) return;
    times.Add(slice);
    const absl::StatusOr<std::vector<float>> commits = probe.End();
    if (!commits.ok()) return;
    commits_us.insert(commits_us.end(), commits->begin(), commits->end());
  }

  absl::Status HoldStreams(ModelContestant& contestant) {
    contestant.idle_rss_mb = ResidentMb(contestant);
    OpenStreams streams(client_, contestant.open, options_.streams, kStreamPace,
                        static_cast<size_t>(options_.prompt_bytes));
    contestant.streams_open = streams.AwaitFirstBytes();
    const absl::Duration end = base::RealClock().Elapsed() + kStreamWatch;
    while (base::RealClock().Elapsed() < end) {
      contestant.streams_rss_mb = std::max(contestant.streams_rss_mb, ResidentMb(contestant));
      contestant.threads = std::max(contestant.threads, UseOfSession(contestant.session).threads);
      Watch(absl::Milliseconds(200));
    }
    const OpenStreams::Ends ends = streams.AwaitEnds();
    contestant.streams_whole = ends.whole;
    contestant.streams_failure = ends.failure;
    return absl::OkStatus();
  }

  // The ends of the last calls may still be on their way to the disk.
  absl::Status CountLeftCalls() {
    const absl::Duration end = base::RealClock().Elapsed() + kEndPatience;
    do {
      ASSIGN_OR_RETURN(calls_left_running_, suite_->RunningCalls());
      if (calls_left_running_ == 0) break;
      Watch(absl::Milliseconds(100));
    } while (base::RealClock().Elapsed() < end);
    return absl::OkStatus();
  }

  static double ResidentMb(const ModelContestant& contestant) {
    return static_cast<double>(UseOfSession(contestant.session).resident_bytes) / kMegabyte;
  }

  ModelContestant& slipway() { return slipway_; }
  const ModelContestant& slipway() const { return slipway_; }

  ordered_json TimesJson(const CompletionTimes& times) const {
    ordered_json json = {{"requests", times.whole_us.size()}, {"failed", times.failed}};
    if (times.failed > 0) json["failure"] = times.failure;
    if (times.whole_us.empty()) return json;
    json["p50_us"] = Percentile(times.whole_us, 0.5);
    json["p99_us"] = Percentile(times.whole_us, 0.99);
    json["first_byte_p50_us"] = Percentile(times.first_us, 0.5);
    json["first_byte_p99_us"] = Percentile(times.first_us, 0.99);
    return json;
  }

  // With what it is beyond the direct connection's, which was taken between.
  ordered_json TimesJson(const CompletionTimes& times, const CompletionTimes& direct) const {
    ordered_json json = TimesJson(times);
    if (times.whole_us.empty()) return json;
    json["added_p50_us"] = Added(times.whole_us, direct.whole_us, 0.5);
    json["added_p99_us"] = Added(times.whole_us, direct.whole_us, 0.99);
    json["added_first_byte_p50_us"] = Added(times.first_us, direct.first_us, 0.5);
    json["added_first_byte_p99_us"] = Added(times.first_us, direct.first_us, 0.99);
    return json;
  }

  ordered_json ContestantJson(const ModelContestant& contestant) const {
    if (!contestant.missing.empty()) {
      return {{"non_streaming", nullptr}, {"streaming", nullptr}, {"reason", contestant.missing}};
    }
    ordered_json json = {{"non_streaming", TimesJson(contestant.whole, contestant.direct_whole)},
                         {"streaming", TimesJson(contestant.streamed, contestant.direct_streamed)}};
    json["streams_open"] = contestant.streams_open;
    json["streams_whole"] = contestant.streams_whole;
    if (!contestant.streams_failure.empty()) json["streams_failure"] = contestant.streams_failure;
    json["streams_rss_mb"] = contestant.streams_rss_mb;
    json["idle_rss_mb"] = contestant.idle_rss_mb;
    json["threads"] = contestant.threads;
    return json;
  }

  // Beyond the direct connection and one commit of the ledger beside the same load, by kind.
  double WholeBeyond(double share) const {
    return Added(slipway().whole.whole_us, slipway().direct_whole.whole_us, share) -
           Percentile(slipway().commits_us, share);
  }
  double StreamedBeyond(double share) const {
    return Added(slipway().streamed.whole_us, slipway().direct_streamed.whole_us, share) -
           Percentile(slipway().streamed_commits_us, share);
  }
  double FirstByteBeyond(double share) const {
    return Added(slipway().streamed.first_us, slipway().direct_streamed.first_us, share) -
           Percentile(slipway().streamed_commits_us, share);
  }
  double Beyond(double share) const { return std::max(WholeBeyond(share), StreamedBeyond(share)); }

  void PrintJson() const {
    double load[1] = {0};
    if (getloadavg(load, 1) != 1) load[0] = -1;
    ordered_json peers = ordered_json::object();
    peers["direct"] = {{"non_streaming", TimesJson(slipway().direct_whole)},
                       {"streaming", TimesJson(slipway().direct_streamed)}};
    for (const ModelContestant& peer : peers_) peers[peer.name] = ContestantJson(peer);
    ordered_json report = {
        {"added_p50_us", Beyond(0.5)},
        {"added_p99_us", Beyond(0.99)},
        {"added_whole_p50_us", WholeBeyond(0.5)},
        {"added_whole_p99_us", WholeBeyond(0.99)},
        {"added_streaming_p50_us", StreamedBeyond(0.5)},
        {"added_streaming_p99_us", StreamedBeyond(0.99)},
        {"added_first_byte_p50_us", FirstByteBeyond(0.5)},
        {"added_first_byte_p99_us", FirstByteBeyond(0.99)},
        {"streams_rss_mb", slipway().streams_rss_mb},
        {"streams", options_.streams},
        {"streams_prompt_bytes", options_.prompt_bytes},
        {"ledger_commit_p50_us", Percentile(slipway().commits_us, 0.5)},
        {"ledger_commit_p99_us", Percentile(slipway().commits_us, 0.99)},
        {"ledger_commit_streaming_p50_us", Percentile(slipway().streamed_commits_us, 0.5)},
        {"ledger_commit_streaming_p99_us", Percentile(slipway().streamed_commits_us, 0.99)},
        {"ledger_commit_without_load_p50_us", Percentile(direct_.commits_us, 0.5)},
        {"calls_left_running", calls_left_running_},
        {"slipway", ContestantJson(slipway())},
        {"peers", std::move(peers)},
        {"requests_per_s", options_.rate},
        {"rounds", options_.rounds},
        {"slice_seconds", absl::ToDoubleSeconds(options_.slice)},
        {"load_average", load[0]}};
    absl::PrintF("%s\n", report.dump(2));
  }

  static void PrintLine(const ModelContestant& one) {
    if (!one.missing.empty()) {
      absl::PrintF("%-10s not measured: %s\n", one.name, one.missing);
      return;
    }
    absl::PrintF("%-10s %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f %8d %8.1f\n", one.name,
                 Percentile(one.whole.whole_us, 0.5), Percentile(one.whole.whole_us, 0.99),
                 Added(one.whole.whole_us, one.direct_whole.whole_us, 0.5),
                 Percentile(one.streamed.whole_us, 0.5), Percentile(one.streamed.whole_us, 0.99),
                 Added(one.streamed.whole_us, one.direct_streamed.whole_us, 0.5),
                 Percentile(one.streamed.first_us, 0.5), one.streams_whole,
                 std::max(one.streams_rss_mb, 0.0));
    if (one.whole.failed + one.streamed.failed > 0) {
      absl::PrintF("%-10s %d failed: %s%s\n", "", one.whole.failed + one.streamed.failed,
                   one.whole.failure, one.streamed.failure);
    }
  }

  void PrintTable() const {
    absl::PrintF("microseconds%14s %29s %29s\n", "", "whole replies", "streams");
    absl::PrintF("%-10s %9s %9s %9s %9s %9s %9s %9s %8s %8s\n", "", "p50", "p99", "added p50",
                 "p50", "p99", "added p50", "1st byte", "streams", "MB");
    PrintLine({.name = "direct",
               .whole = slipway().direct_whole,
               .streamed = slipway().direct_streamed,
               .direct_whole = slipway().direct_whole,
               .direct_streamed = slipway().direct_streamed});
    PrintLine(slipway());
    for (const ModelContestant& peer : peers_) PrintLine(peer);
    absl::PrintF(
        "\none ledger commit meanwhile: p50 %.0f, p99 %.0f; slipway beyond the direct connection "
        "and one commit: p50 %.0f, p99 %.0f\n%d threads with %d streams; %d calls left running\n",
        Percentile(slipway().commits_us, 0.5), Percentile(slipway().commits_us, 0.99), Beyond(0.5),
        Beyond(0.99), slipway().threads, slipway().streams_open, calls_left_running_);
  }

  const ModelsBenchOptions options_;
  std::unique_ptr<ScratchDirectory> directory_;
  std::string upstream_address_;
  std::unique_ptr<HttpProcess> upstream_;
  std::unique_ptr<SlipwaySuite> suite_;
  http::Client client_;
  ModelContestant direct_;
  ModelContestant slipway_;
  std::vector<ModelContestant> peers_;
  int calls_left_running_ = 0;
};

}  // namespace

absl::Status RunModelsBench(const ModelsBenchOptions& options) {
  if (options.rate <= 0 || options.rounds < 1) {
    return absl::InvalidArgumentError("--rate and --rounds must be above 0");
  }
  if (options.streams < 0 || options.prompt_bytes < 0 || options.prompt_bytes > kPromptBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("--streams must not be negative, and --prompt-bytes 0 to ", kPromptBytesMax));
  }
  return ModelsBench(options).Run();
}

void AddModelsCommand(CLI::App& app, absl::Status& status) {
  const auto options = std::make_shared<ModelsBenchOptions>();
  const auto output = std::make_shared<std::string>("table");
  const auto seconds = std::make_shared<double>(absl::ToDoubleSeconds(options->slice));
  CLI::App* const command = app.add_subcommand(
      "models", "The latency and memory that slipway-models adds between an agent and its model");
  command->add_option("-o,--output", *output, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  command->add_option("--rate", options->rate, "Requests a second");
  command->add_option("--rounds", options->rounds, "Slices of each contestant and kind");
  command->add_option("--seconds", *seconds, "Length of a slice");
  command->add_option("--streams", options->streams, "Streams open at once, for memory");
  command->add_option("--prompt-bytes", options->prompt_bytes, "Of the prompt of each stream");
  command->add_option("--directory", options->directory, "Where the databases are made");
  command->add_option("--models", options->models, "Another build of slipway-models");
  command->add_option("--litellm", options->litellm, "Virtual environment with LiteLLM");
  command->add_flag("!--no-peers", options->peers, "Only slipway and the direct connection");
  command->callback([options, output, seconds, &status] {
    options->json = *output == "json";
    options->slice = absl::Seconds(*seconds);
    status = RunModelsBench(*options);
  });
}

}  // namespace slipway::bench
