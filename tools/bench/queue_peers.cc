#include "tools/bench/queue_peers.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/process.h"
#include "lib/base/status_macros.h"
#include "tools/bench/line_process.h"
#include "tools/bench/model_peers.h"
#include "tools/bench/postgres_peer.h"
#include "tools/bench/process_use.h"
#include "tools/bench/redis_peer.h"

namespace slipway::bench {
namespace {

using nlohmann::json;

constexpr absl::Duration kPeerPatience = absl::Minutes(5);
constexpr int kStopped = 16;
constexpr int kLockMs = 2'000;

constexpr int kWarmUpTasks = 200;
// A peer that would take longer for a round, by its rate while it warmed up, has fewer tasks in it.
constexpr double kRoundSecondsMax = 30;

// Where tools/install_bench_peers.sh puts a peer.
std::string Below(const char* variable, const char* name) {
  const char* const chosen = std::getenv(variable);
  if (chosen != nullptr) return chosen;
  const char* const home = std::getenv("HOME");
  return absl::StrCat(home == nullptr ? "/root" : home, "/.cache/slipway-bench/", name);
}

// One system with its server: `address` is a socket, or the directory of one.
class QueuePeer final {
 public:
  QueuePeer(const QueuePeerOptions& options, std::string name, std::string address, pid_t server)
      : options_(options),
        name_(std::move(name)),
        address_(std::move(address)),
        server_(server),
        packages_(options.packages.empty() ? Below("SLIPWAY_BENCH_QUEUES", "queues")
                                           : options.packages) {}

  absl::Status Measure(QueuePeerFigures& figures) {
    if (access(absl::StrCat(packages_, "/node_modules").c_str(), R_OK) != 0) {
      return absl::UnavailableError("its package is not installed: tools/install_bench_peers.sh");
    }
    ASSIGN_OR_RETURN(const json warmed, Run("drain", {absl::StrCat(kWarmUpTasks), "8"}));
    const int tasks = std::min(
        options_.tasks, std::max(kWarmUpTasks, static_cast<int>(warmed.value("tasks_per_s", 0.0) *
                                                                kRoundSecondsMax)));
    const double before = CpuOfSession(server_);
    for (int round = 0; round < options_.rounds; ++round) {
      ASSIGN_OR_RETURN(const json drained,
                       Run("drain", {absl::StrCat(tasks), absl::StrCat(options_.workers)}));
      figures.tasks_per_s.push_back(drained.value("tasks_per_s", 0.0));
    }
    figures.cpu_s_per_1000 =
        1'000 * (CpuOfSession(server_) - before) / (static_cast<double>(tasks) * options_.rounds);
    ASSIGN_OR_RETURN(const json granted,
                     Run("grant", {"50", absl::StrCat(options_.grant_seconds)}));
    if (granted.value("grants", 0) == granted.value("wanted", -1)) {
      figures.grant_p50_us = granted.value("grant_p50_us", 0.0);
      figures.grant_p99_us = granted.value("grant_p99_us", 0.0);
    }
    return absl::OkStatus();
  }

  // The same as our own scenario "stale".
  absl::Status MeasureStale(QueuePeerFigures& figures) {
    ASSIGN_OR_RETURN(const std::unique_ptr<LineProcess> stopped, Hold(1'000));
    RETURN_IF_ERROR(Run("add", {absl::StrCat(kStopped)}).status());
    RETURN_IF_ERROR(stopped->WaitFor({"taken"}, kStopped));
    stopped->Signal(SIGSTOP);
    if (stopped->Count({"done"}) > 0) return absl::DeadlineExceededError("not stopped in time");
    ASSIGN_OR_RETURN(const std::unique_ptr<LineProcess> others, Hold(4'000));
    const absl::Status taken = others->WaitFor({"taken"}, kStopped);
    stopped->Signal(SIGCONT);
    RETURN_IF_ERROR(taken);
    RETURN_IF_ERROR(stopped->WaitFor({"done", "refused"}, kStopped));
    figures.stale_accepted = stopped->Count({"done"});
    figures.stale_refused = stopped->Count({"refused"});
    return absl::OkStatus();
  }

 private:
  std::vector<std::string> Command(const std::string& mode,
                                   const std::vector<std::string>& numbers) const {
    std::vector<std::string> argv = {"node", SLIPWAY_QUEUE_PEER, name_, mode, address_};
    argv.insert(argv.end(), numbers.begin(), numbers.end());
    return argv;
  }
  std::map<std::string, std::string> Environment() const {
    return {{"NODE_PATH", absl::StrCat(packages_, "/node_modules")}, {"NODE_ENV", "production"}};
  }

  absl::StatusOr<std::unique_ptr<LineProcess>> Hold(int work_ms) const {
    return LineProcess::Start(Command("hold", {absl::StrCat(kLockMs), absl::StrCat(work_ms)}),
                              Environment());
  }

  absl::StatusOr<json> Run(const std::string& mode, const std::vector<std::string>& numbers) const {
    ASSIGN_OR_RETURN(
        const base::CommandResult result,
        base::RunCommand(
            {.argv = Command(mode, numbers), .env = Environment(), .inherit_env = true},
            kPeerPatience));
    if (!result.exit.ok()) {
      return absl::UnavailableError(absl::StrCat(name_, ": ", result.err.substr(0, 300)));
    }
    json figures = json::parse(result.out, nullptr, /*allow_exceptions=*/false);
    return figures.is_object() ? figures : json::object();
  }

  const QueuePeerOptions& options_;
  const std::string name_;
  const std::string address_;
  const pid_t server_;
  const std::string packages_;
};

QueuePeerFigures MeasureBullMq(const QueuePeerOptions& options) {
  QueuePeerFigures figures{.name = "bullmq_redis"};
  const absl::StatusOr<std::unique_ptr<RedisPeer>> redis =
      RedisPeer::Start(absl::StrCat(options.directory, "/bullmq"));
  absl::Status status = redis.status();
  if (status.ok()) {
    QueuePeer peer(options, "bullmq", (*redis)->socket(), (*redis)->pid());
    status = peer.Measure(figures);
    if (status.ok()) status = peer.MeasureStale(figures);
  }
  figures.missing = std::string(status.message());
  return figures;
}

QueuePeerFigures MeasureGraphile(const QueuePeerOptions& options) {
  QueuePeerFigures figures{.name = "graphile_worker_postgres"};
  const absl::StatusOr<std::unique_ptr<PostgresPeer>> postgres =
      PostgresPeer::Start(absl::StrCat(options.directory, "/graphile"));
  absl::Status status = postgres.status();
  if (status.ok()) {
    status = QueuePeer(options, "graphile", (*postgres)->directory(), (*postgres)->pid())
                 .Measure(figures);
  }
  figures.missing = std::string(status.message());
  return figures;
}

// Temporal's development server on a file of its own. Stopped at the end of the object.
class TemporalServer final {
 public:
  // UNAVAILABLE when it is not installed or does not start.
  static absl::StatusOr<std::unique_ptr<TemporalServer>> Start(const std::string& directory) {
    RETURN_IF_ERROR(base::MakeDirectories(directory));
    const std::string program =
        absl::StrCat(Below("SLIPWAY_BENCH_TEMPORAL", "temporal"), "/temporal");
    ASSIGN_OR_RETURN(const int free_port, FreePort());
    const std::string port = absl::StrCat(free_port);
    absl::StatusOr<base::Process> process = base::Process::Spawn(
        {.argv = {program, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", port,
                  "--db-filename", absl::StrCat(directory, "/temporal.db"), "--log-level", "never"},
         .inherit_env = true,
         .directory = directory});
    if (!process.ok()) {
      return absl::UnavailableError("it is not installed: tools/install_bench_peers.sh");
    }
    std::unique_ptr<TemporalServer> server(
        new TemporalServer(absl::StrCat("127.0.0.1:", port), *std::move(process)));
    const absl::Duration end = base::RealClock().Elapsed() + absl::Seconds(60);
    while (base::RealClock().Elapsed() < end) {
      const absl::StatusOr<base::CommandResult> health = base::RunCommand(
          {.argv = {program, "operator", "cluster", "health", "--address", server->address_},
           .inherit_env = true},
          absl::Seconds(10));
      if (health.ok() && health->exit.ok()) return server;
      if (server->process_.Wait(absl::Milliseconds(200)).ok()) break;
    }
    return absl::UnavailableError("Temporal's development server does not start");
  }

  ~TemporalServer() {
    process_.Signal(SIGTERM);
    process_.Wait(absl::Seconds(30)).IgnoreError();
  }

  const std::string& address() const { return address_; }
  pid_t pid() const { return process_.pid(); }

 private:
  TemporalServer(std::string address, base::Process process)
      : address_(std::move(address)), process_(std::move(process)) {}

  const std::string address_;
  base::Process process_;
};

QueuePeerFigures MeasureTemporal(const QueuePeerOptions& options) {
  QueuePeerFigures figures{.name = "temporal_dev_server"};
  const absl::StatusOr<std::unique_ptr<TemporalServer>> server =
      TemporalServer::Start(absl::StrCat(options.directory, "/temporal"));
  absl::Status status = server.status();
  if (status.ok()) {
    status =
        QueuePeer(options, "temporal", (*server)->address(), (*server)->pid()).Measure(figures);
  }
  figures.missing = std::string(status.message());
  return figures;
}

}  // namespace

std::vector<QueuePeerFigures> MeasureQueuePeers(const QueuePeerOptions& options) {
  return {MeasureBullMq(options), MeasureGraphile(options), MeasureTemporal(options)};
}

}  // namespace slipway::bench
