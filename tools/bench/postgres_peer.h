#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/process.h"
#include "tools/bench/closed_loop.h"

namespace slipway::bench {

// A PostgreSQL server of its own in a scratch directory, on a Unix socket, as the user `postgres`
// when root runs the benchmark. Stopped at the end of the object.
class PostgresPeer final {
 public:
  // "row_locks", "cte" or "function": three ways to do what the ledger does.
  static constexpr const char* kScripts[] = {"row_locks", "cte", "function"};

  // UNAVAILABLE with the reason when PostgreSQL is not installed or does not start.
  static absl::StatusOr<std::unique_ptr<PostgresPeer>> Start(const std::string& directory);
  ~PostgresPeer();

  // Of its socket.
  const std::string& directory() const { return directory_; }
  // Of the process that all others of the server descend from, in a session of their own.
  pid_t pid() const { return server_->pid(); }

  // Runs pairs of reserve and settle by pgbench, with prepared statements over `in_flight`
  // connections. Latencies are of single operations, half of the pair's.
  absl::StatusOr<Measurement> RunPairs(const std::string& script, int in_flight,
                                       absl::Duration length);

 private:
  PostgresPeer(std::string directory, std::string binaries)
      : directory_(std::move(directory)), binaries_(std::move(binaries)) {}

  absl::StatusOr<std::string> Run(const std::vector<std::string>& argv, absl::Duration timeout);

  const std::string directory_;
  const std::string binaries_;
  std::unique_ptr<base::Process> server_;
};

}  // namespace slipway::bench
