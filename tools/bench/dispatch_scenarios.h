#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::bench {

// Where a scenario runs; each makes a dispatcher of its own in `directory`.
struct DispatchSite {
  std::string program;  // slipway-dispatcher
  std::string directory;
};

// Many plans of independent tasks that are nothing to do, from their submission to the ends of
// their runs.
struct ThroughputOptions {
  int tasks = 4'000;  // In each round.
  int plans = 16;     // In as many projects' branches; merges of one plan go one by one.
  int agents = 64;
  int rounds = 3;
};
struct ThroughputFigures {
  std::vector<double> tasks_per_s;   // Of each round.
  double cpu_s_per_1000 = 0;         // Of the dispatcher.
  double client_cpu_s_per_1000 = 0;  // Of this process: agents, reviewer, models and ledger.
  double written_kb_per_task = 0;    // By the dispatcher, to disk and sockets.
  double rss_mb = 0;                 // At the end.
  int audit_breaches = 0;
};
absl::StatusOr<ThroughputFigures> MeasureThroughput(const DispatchSite& site,
                                                    const ThroughputOptions& options);

// Plans of one task at random times, while agents wait; from when each was due to its grant in the
// agent's hands.
struct GrantOptions {
  double rate = 50;  // A second, exponentially spaced.
  absl::Duration length = absl::Seconds(10);
  int agents = 64;
};
absl::StatusOr<std::vector<float>> MeasureGrants(const DispatchSite& site,
                                                 const GrantOptions& options);  // Microseconds.

// One plan in layers; what it takes longer than it must.
struct GraphOptions {
  int tasks = 1'000;
  int depth = 20;
  int slots = 64;
  absl::Duration work = absl::Milliseconds(100);  // Of each task.
};
struct GraphFigures {
  absl::Duration submit;
  absl::Duration makespan;  // From its submission to the end of its run.
  absl::Duration ideal;     // The larger of its longest chain and its work over the slots.
  double cpu_seconds = 0;   // Of the dispatcher.
  double rss_before_mb = 0;
  double peak_rss_mb = 0;
};
absl::StatusOr<GraphFigures> MeasureGraph(const DispatchSite& site, const GraphOptions& options);

// Agents that are connected and have nothing to do.
struct IdleFigures {
  double rss_mb = 0;
  double rss_without_mb = 0;  // Before they came.
  double cpu_percent = 0;     // Of one core.
};
absl::StatusOr<IdleFigures> MeasureIdle(const DispatchSite& site, int agents,
                                        absl::Duration length);

// SIGKILLs in the middle of a plan; from the start of the next process to its first grant.
absl::StatusOr<std::vector<absl::Duration>> MeasureRestarts(const DispatchSite& site, int kills);

// Agents in a process that is stopped for longer than their leases, and continued while others work
// at their tasks.
struct StaleFigures {
  int stopped = 0;   // Attempts.
  int refused = 0;   // Of their results.
  int accepted = 0;  // Of their results: must be 0.
  int merged_twice = 0;
  int audit_breaches = 0;
};
absl::StatusOr<StaleFigures> MeasureStale(const DispatchSite& site);

// The process that MeasureStale stops: agents that take grants, work, and print a line for each
// grant and receipt. Ends with its standard input.
absl::Status RunStoppableAgents(const std::string& address, const std::string& token, int agents,
                                absl::Duration work);

}  // namespace slipway::bench
