#include "tools/bench/ledger_bench.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/status_macros.h"
#include "tools/bench/ledger_client.h"
#include "tools/bench/postgres_peer.h"
#include "tools/bench/redis_peer.h"
#include "tools/bench/server_process.h"
#include "tools/bench/storm.h"

namespace slipway::bench {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kWideLimit = int64_t{1} << 60;
constexpr int64_t kStormCalls = 1'000;

// One of those that are measured in turn.
struct Contestant {
  std::string name;
  std::function<absl::StatusOr<Measurement>()> run;
  bool only_mean = false;  // Its driver tells no more of latencies.
  std::string missing;     // Why it was not measured; empty when it was.
  std::vector<double> rates;
  Measurement total;

  double Rate() const {  // The median of its slices.
    std::vector<double> sorted = rates;
    std::sort(sorted.begin(), sorted.end());
    return sorted.empty() ? 0 : sorted[sorted.size() / 2];
  }
  double P(double share) const { return Percentile(total.latencies_us, share); }
};

ordered_json ToJson(const Contestant& contestant) {
  if (!contestant.missing.empty()) return {{"ops_per_s", nullptr}, {"reason", contestant.missing}};
  if (contestant.only_mean) {
    return {{"ops_per_s", contestant.Rate()},
            {"ops_per_s_slices", contestant.rates},
            {"mean_us", contestant.P(0.5)},
            {"p50_us", nullptr},
            {"p99_us", nullptr}};
  }
  return {{"ops_per_s", contestant.Rate()},
          {"ops_per_s_slices", contestant.rates},
          {"p50_us", contestant.P(0.5)},
          {"p99_us", contestant.P(0.99)}};
}

class LedgerBench final {
 public:
  explicit LedgerBench(const LedgerBenchOptions& options) : options_(options) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(directory_, ScratchDirectory::Make(options_.directory));
    RETURN_IF_ERROR(StartOurs());
    if (options_.peers) StartPeers();
    for (int round = 0; round < options_.rounds; ++round) {
      for (Contestant& contestant : contestants_) {
        if (!contestant.missing.empty()) continue;
        ASSIGN_OR_RETURN(const Measurement slice, contestant.run());
        contestant.rates.push_back(slice.OperationsPerSecond());
        contestant.total.Add(slice);
      }
    }
    ASSIGN_OR_RETURN(storm_, RunStorm({.program = ProgramBeside("slipway-ledger"),
                                       .directory = directory_->path(),
                                       .limit = kStormCalls}));
    options_.json ? PrintJson() : PrintTable();
    return absl::OkStatus();
  }

 private:
  void Add(std::string name, std::function<absl::StatusOr<Measurement>()> run) {
    contestants_.push_back({.name = std::move(name), .run = std::move(run)});
  }

  void AddMissing(std::string name, const absl::Status& status) {
    contestants_.push_back({.name = std::move(name), .missing = std::string(status.message())});
  }

  absl::Status StartOurs() {
    ASSIGN_OR_RETURN(
        ServerProcess ledger,
        ServerProcess::StartLedger(ProgramBeside("slipway-ledger"), directory_->File("ledger.sock"),
                                   directory_->File("ledger.db")));
    ledger_ = std::make_unique<ServerProcess>(std::move(ledger));
    client_ = std::make_unique<LedgerClient>(ledger_->address());
    RETURN_IF_ERROR(client_->WaitReady());
    RETURN_IF_ERROR(client_->SetBudgets(kWideLimit));
    ASSIGN_OR_RETURN(ServerProcess echo,
                     ServerProcess::StartOwn("echo", directory_->File("echo.sock"), ""));
    echo_ = std::make_unique<ServerProcess>(std::move(echo));
    Add("slipway-ledger",
        [this] { return client_->RunStreamPairs(options_.in_flight, options_.slice); });
    Add("echo", [this] { return RunEcho(echo_->address(), options_.in_flight, options_.slice); });
    Add("slipway-ledger unary",
        [this] { return client_->RunPairs(options_.in_flight, options_.slice); });
    return absl::OkStatus();
  }

  absl::Status StartNaive() {
    ASSIGN_OR_RETURN(ServerProcess naive,
                     ServerProcess::StartOwn("naive", directory_->File("naive.sock"),
                                             directory_->File("naive.db")));
    naive_ = std::make_unique<ServerProcess>(std::move(naive));
    naive_client_ = std::make_unique<LedgerClient>(naive_->address());
    return naive_client_->WaitReady();
  }

  // What cannot be started is told with its reason, and the others are measured.
  void StartPeers() {
    const absl::Status naive = StartNaive();
    if (naive.ok()) {
      Add("sqlite_naive",
          [this] { return naive_client_->RunPairs(options_.in_flight, options_.slice); });
    } else {
      AddMissing("sqlite_naive", naive);
    }
    absl::StatusOr<std::unique_ptr<PostgresPeer>> postgres =
        PostgresPeer::Start(directory_->File("pg"));
    for (const char* script : PostgresPeer::kScripts) {
      const std::string name = absl::StrCat("postgres_", script);
      if (!postgres.ok()) {
        AddMissing(name, postgres.status());
        continue;
      }
      Add(name, [this, script] {
        return postgres_->RunPairs(script, options_.in_flight, options_.slice);
      });
      contestants_.back().only_mean = true;
    }
    if (postgres.ok()) postgres_ = *std::move(postgres);
    absl::StatusOr<std::unique_ptr<RedisPeer>> redis = RedisPeer::Start(directory_->File("redis"));
    if (!redis.ok()) return AddMissing("redis", redis.status());
    redis_ = *std::move(redis);
    Add("redis", [this] { return redis_->RunPairs(options_.in_flight, options_.slice); });
  }

  double BestPostgres() const {
    double best = 0;
    for (const Contestant& contestant : contestants_) {
      if (contestant.name.rfind("postgres_", 0) == 0) best = std::max(best, contestant.Rate());
    }
    return best;
  }

  // Slice by slice.
  std::vector<double> RatiosToEcho(const Contestant& contestant) const {
    std::vector<double> ratios;
    for (size_t i = 0; i < contestant.rates.size(); ++i) {
      ratios.push_back(contestant.rates[i] / contestants_[1].rates[i]);
    }
    return ratios;
  }

  void PrintJson() const {
    const Contestant& ours = contestants_[0];
    const double echo = contestants_[1].Rate();
    const double postgres = BestPostgres();
    const Contestant& unary = contestants_[2];
    ordered_json peers = ordered_json::object();
    for (size_t i = 3; i < contestants_.size(); ++i) {
      peers[contestants_[i].name] = ToJson(contestants_[i]);
    }
    double load[1] = {0};
    if (getloadavg(load, 1) != 1) load[0] = -1;
    const ordered_json report = {
        {"ops_per_s", ours.Rate()},
        {"echo_per_s", echo},
        {"ratio_echo", ours.Rate() / echo},
        {"ratio_echo_slices", RatiosToEcho(ours)},
        {"ratio_postgres_best",
         postgres > 0 ? ordered_json(ours.Rate() / postgres) : ordered_json(nullptr)},
        {"p50_us", ours.P(0.5)},
        {"p99_us", ours.P(0.99)},
        {"unary_ops_per_s", unary.Rate()},
        {"ratio_echo_unary", unary.Rate() / echo},
        {"ratio_echo_unary_slices", RatiosToEcho(unary)},
        {"unary_p50_us", unary.P(0.5)},
        {"unary_p99_us", unary.P(0.99)},
        {"overspend_factor", storm_.OverspendFactor()},
        {"storm",
         {{"limit", storm_.limit},
          {"granted", storm_.granted},
          {"recorded_calls", storm_.recorded_calls},
          {"leftover_holds", storm_.leftover_holds},
          {"audit_breaches", storm_.audit_breaches}}},
        {"in_flight", options_.in_flight},
        {"rounds", options_.rounds},
        {"slice_seconds", absl::ToDoubleSeconds(options_.slice)},
        {"load_average", load[0]},
        {"peers", peers}};
    absl::PrintF("%s\n", report.dump(2));
  }

  void PrintTable() const {
    const double echo = contestants_[1].Rate();
    absl::PrintF("%-22s %12s %10s %10s %8s\n", "", "operations/s", "p50 us", "p99 us", "of echo");
    for (const Contestant& contestant : contestants_) {
      if (!contestant.missing.empty()) {
        absl::PrintF("%-22s not measured: %s\n", contestant.name, contestant.missing);
        continue;
      }
      if (contestant.only_mean) {
        absl::PrintF("%-22s %12.0f %10.0f %10s %8.3f\n", contestant.name, contestant.Rate(),
                     contestant.P(0.5), "(mean)", contestant.Rate() / echo);
        continue;
      }
      absl::PrintF("%-22s %12.0f %10.0f %10.0f %8.3f\n", contestant.name, contestant.Rate(),
                   contestant.P(0.5), contestant.P(0.99), contestant.Rate() / echo);
    }
    if (BestPostgres() > 0) {
      absl::PrintF("%.1f times the best of the PostgreSQL scripts\n",
                   contestants_[0].Rate() / BestPostgres());
    }
    absl::PrintF("budget storm: %d of %d calls granted, overspend factor %.3f\n", storm_.granted,
                 storm_.limit, storm_.OverspendFactor());
  }

  const LedgerBenchOptions options_;
  std::unique_ptr<ScratchDirectory> directory_;  // Goes last, after all who work in it.
  std::unique_ptr<ServerProcess> ledger_;
  std::unique_ptr<ServerProcess> echo_;
  std::unique_ptr<ServerProcess> naive_;
  std::unique_ptr<LedgerClient> client_;
  std::unique_ptr<LedgerClient> naive_client_;
  std::unique_ptr<PostgresPeer> postgres_;
  std::unique_ptr<RedisPeer> redis_;
  std::vector<Contestant> contestants_;
  StormReport storm_;
};

}  // namespace

absl::Status RunLedgerBench(const LedgerBenchOptions& options) {
  return LedgerBench(options).Run();
}

}  // namespace slipway::bench
