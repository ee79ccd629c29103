#include "tools/bench/dispatch_bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/status_macros.h"
#include "tools/bench/closed_loop.h"
#include "tools/bench/dispatch_scenarios.h"
#include "tools/bench/queue_peers.h"
#include "tools/bench/server_process.h"

namespace slipway::bench {
namespace {

using nlohmann::ordered_json;

constexpr int kIdleAgents = 1'000;
constexpr const char* kScenarios[] = {"throughput", "grant", "dag",  "idle",
                                      "restart",    "stale", "plan", "peers"};

template <typename T>
T MedianOf(std::vector<T> values) {
  if (values.empty()) return T();
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <typename T>
ordered_json OrNull(const std::optional<T>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json(nullptr);
}

double Milliseconds(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

// Each of a thousand agents has a connection with a descriptor at both ends; children inherit it.
void AllowConnections() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 16'384);
  setrlimit(RLIMIT_NOFILE, &limit);
}

class DispatchBench final {
 public:
  explicit DispatchBench(const DispatchBenchOptions& options) : options_(options) {}

  absl::Status Run() {
    AllowConnections();
    ASSIGN_OR_RETURN(directory_, ScratchDirectory::Make(options_.directory));
    using Scenario = absl::Status (DispatchBench::*)();
    const std::pair<const char*, Scenario> scenarios[] = {
        {"throughput", &DispatchBench::Throughput},
        {"grant", &DispatchBench::Grants},
        {"dag", &DispatchBench::Graph},
        {"idle", &DispatchBench::Idle},
        {"restart", &DispatchBench::Restarts},
        {"stale", &DispatchBench::Stale},
        {"plan", &DispatchBench::LargePlan}};
    for (const auto& [name, scenario] : scenarios) {
      if (!Wanted(name)) continue;
      const absl::Status status = (this->*scenario)();
      if (!status.ok()) {
        return absl::Status(status.code(), absl::StrCat(name, ": ", status.message()));
      }
    }
    if (options_.peers && Wanted("peers")) Peers();
    double load[1] = {0};
    if (getloadavg(load, 1) != 1) load[0] = -1;
    report_["load_average"] = load[0];
    options_.json ? (void)absl::PrintF("%s\n", report_.dump(2)) : PrintTable();
    return absl::OkStatus();
  }

 private:
  bool Wanted(const std::string& name) const {
    return options_.only.empty() ||
           std::find(options_.only.begin(), options_.only.end(), name) != options_.only.end();
  }

  DispatchSite SiteOf(const std::string& name) const {
    return {.program = options_.dispatcher.empty() ? ProgramBeside("slipway-dispatcher")
                                                   : options_.dispatcher,
            .directory = directory_->File(name)};
  }

  absl::Status Throughput() {
    ASSIGN_OR_RETURN(const ThroughputFigures figures,
                     MeasureThroughput(SiteOf("throughput"), {.tasks = options_.tasks,
                                                              .agents = options_.agents,
                                                              .rounds = options_.rounds}));
    report_["tasks_per_s"] = MedianOf(figures.tasks_per_s);
    report_["tasks_per_s_rounds"] = figures.tasks_per_s;
    report_["cpu_s_per_1000"] = figures.cpu_s_per_1000;
    report_["client_cpu_s_per_1000"] = figures.client_cpu_s_per_1000;
    report_["written_kb_per_task"] = figures.written_kb_per_task;
    report_["rss_mb"] = figures.rss_mb;
    report_["audit_breaches"] = figures.audit_breaches;
    return absl::OkStatus();
  }

  absl::Status Grants() {
    ASSIGN_OR_RETURN(
        const std::vector<float> latencies,
        MeasureGrants(SiteOf("grant"), {.length = absl::Seconds(options_.grant_seconds),
                                        .agents = options_.agents}));
    report_["grant_p50_us"] = Percentile(latencies, 0.5);
    report_["grant_p99_us"] = Percentile(latencies, 0.99);
    report_["grant_max_us"] = Percentile(latencies, 1);
    report_["grants"] = latencies.size();
    return absl::OkStatus();
  }

  absl::Status Graph() {
    ASSIGN_OR_RETURN(const GraphFigures figures, MeasureGraph(SiteOf("dag"), {}));
    report_["dag_overhead_ms"] = Milliseconds(figures.makespan - figures.ideal);
    report_["dag_makespan_ms"] = Milliseconds(figures.makespan);
    report_["dag_ideal_ms"] = Milliseconds(figures.ideal);
    return absl::OkStatus();
  }

  absl::Status Idle() {
    ASSIGN_OR_RETURN(const IdleFigures figures, MeasureIdle(SiteOf("idle"), kIdleAgents,
                                                            absl::Seconds(options_.idle_seconds)));
    report_["idle_1000_rss_mb"] = figures.rss_mb;
    report_["idle_1000_cpu_pct"] = figures.cpu_percent;
    report_["idle_0_rss_mb"] = figures.rss_without_mb;
    return absl::OkStatus();
  }

  absl::Status Restarts() {
    ASSIGN_OR_RETURN(const std::vector<absl::Duration> times,
                     MeasureRestarts(SiteOf("restart"), options_.kills));
    report_["restart_to_grant_ms"] = Milliseconds(MedianOf(times));
    report_["restart_to_grant_max_ms"] =
        times.empty() ? 0 : Milliseconds(*std::max_element(times.begin(), times.end()));
    return absl::OkStatus();
  }

  absl::Status Stale() {
    ASSIGN_OR_RETURN(const StaleFigures figures, MeasureStale(SiteOf("stale")));
    report_["stale_accepted"] = figures.accepted;
    report_["stale_stopped"] = figures.stopped;
    report_["stale_refused"] = figures.refused;
    report_["stale_merged_twice"] = figures.merged_twice;
    report_["stale_audit_breaches"] = figures.audit_breaches;
    return absl::OkStatus();
  }

  absl::Status LargePlan() {
    ordered_json plans = ordered_json::object();
    std::vector<double> cpu, wall;
    for (const int tasks : {1'000, 10'000}) {
      ASSIGN_OR_RETURN(
          const GraphFigures figures,
          MeasureGraph(SiteOf(absl::StrCat("plan-", tasks)),
                       {.tasks = tasks, .slots = options_.agents, .work = absl::ZeroDuration()}));
      cpu.push_back(figures.cpu_seconds / tasks);
      wall.push_back(absl::ToDoubleSeconds(figures.makespan) / tasks);
      plans[absl::StrCat("tasks_", tasks)] = {{"submit_ms", Milliseconds(figures.submit)},
                                              {"run_s", absl::ToDoubleSeconds(figures.makespan)},
                                              {"cpu_s", figures.cpu_seconds},
                                              {"rss_before_mb", figures.rss_before_mb},
                                              {"peak_rss_mb", figures.peak_rss_mb}};
    }
    plans["cpu_per_task_ratio"] = cpu[1] / cpu[0];
    plans["time_per_task_ratio"] = wall[1] / wall[0];
    report_["plan_10000"] = std::move(plans);
    return absl::OkStatus();
  }

  void Peers() {
    ordered_json peers = ordered_json::object();
    for (const QueuePeerFigures& peer : MeasureQueuePeers({.directory = directory_->path(),
                                        .tasks = options_.tasks,
                                        .workers = options_.agents,
                                        .rounds = options_.rounds,
                                        .grant_seconds = options_.grant_seconds})) {
      if (!peer.missing.empty()) {
        peers[peer.name] = {{"tasks_per_s", nullptr}, {"reason", peer.missing}};
        continue;
      }
      peers[peer.name] = {{"tasks_per_s", MedianOf(peer.tasks_per_s)},
                          {"tasks_per_s_rounds", peer.tasks_per_s},
                          {"cpu_s_per_1000", peer.cpu_s_per_1000},
                          {"grant_p50_us", OrNull(peer.grant_p50_us)},
                          {"grant_p99_us", OrNull(peer.grant_p99_us)},
                          {"stale_accepted", OrNull(peer.stale_accepted)},
                          {"stale_refused", peer.stale_refused}};
    }
    report_["peers"] = std::move(peers);
  }

  static void PrintRows(const std::string& prefix, const ordered_json& values) {
    for (const auto& [name, value] : values.items()) {
      const std::string path = prefix.empty() ? name : absl::StrCat(prefix, ".", name);
      if (value.is_object()) {
        PrintRows(path, value);
      } else if (value.is_number()) {
        absl::PrintF("%-44s %14.2f\n", path, value.get<double>());
      } else {
        absl::PrintF("%-44s %14s\n", path,
                     value.is_string() ? value.get<std::string>() : value.dump());
      }
    }
  }

  void PrintTable() const { PrintRows("", report_); }

  const DispatchBenchOptions options_;
  std::unique_ptr<ScratchDirectory> directory_;
  ordered_json report_ = ordered_json::object();
};

// The process that the scenario "stale" stops.
void AddStoppableAgents(CLI::App& app, absl::Status& status) {
  struct Options {
    std::string address;
    std::string token;
    int agents = 1;
    int work_ms = 0;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("dispatch-agents", "Agents to be stopped");
  command->group("");  // Not in the help.
  command->add_option("--address", options->address)->required();
  command->add_option("--token", options->token)->required();
  command->add_option("--agents", options->agents);
  command->add_option("--work-ms", options->work_ms);
  command->callback([options, &status] {
    status = RunStoppableAgents(options->address, options->token, options->agents,
                                absl::Milliseconds(options->work_ms));
  });
}

}  // namespace

absl::Status RunDispatchBench(const DispatchBenchOptions& options) {
  if (options.tasks < 1 || options.agents < 4 || options.agents > 1'000 || options.rounds < 1 ||
      options.kills < 1) {
    return absl::InvalidArgumentError(
        "tasks, rounds and kills must be positive, agents from 4 to 1000");
  }
  return DispatchBench(options).Run();
}

void AddDispatchCommand(CLI::App& app, absl::Status& status) {
  const auto options = std::make_shared<DispatchBenchOptions>();
  const auto output = std::make_shared<std::string>("table");
  CLI::App* const command = app.add_subcommand(
      "dispatch",
      "The dispatcher: tasks a second, grants, graphs, idle agents, restarts, stale "
      "results, plans of 10,000 tasks");
  command->add_option("-o,--output", *output, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  command->add_option("--only", options->only, "Scenarios, all by default")
      ->delimiter(',')
      ->check(
          CLI::IsMember(std::vector<std::string>(std::begin(kScenarios), std::end(kScenarios))));
  command->add_option("--tasks", options->tasks, "Tasks in each round of the throughput");
  command->add_option("--agents", options->agents, "Simulated agents, except where 1,000 idle");
  command->add_option("--rounds", options->rounds, "Rounds of the throughput");
  command->add_option("--grant-seconds", options->grant_seconds, "How long 50 plans a second come");
  command->add_option("--idle-seconds", options->idle_seconds, "How long 1,000 agents are watched");
  command->add_option("--kills", options->kills, "Restarts");
  command->add_option("--directory", options->directory, "Where the databases are made");
  command->add_option("--dispatcher", options->dispatcher, "Another build of slipway-dispatcher");
  command->add_flag("!--no-peers", options->peers, "Only slipway-dispatcher");
  command->callback([options, output, &status] {
    options->json = *output == "json";
    status = RunDispatchBench(*options);
  });
  AddStoppableAgents(app, status);
}

}  // namespace slipway::bench
