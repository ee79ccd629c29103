#pragma once

#include <optional>
#include <string>
#include <vector>

namespace slipway::bench {

struct QueuePeerOptions {
  std::string directory;
  std::string packages;  // Where npm put them; empty: the default.
  int tasks = 4'000;
  int workers = 64;
  int rounds = 3;
  double grant_seconds = 10;
};

// What a queue of others does with the same load: no graph, no review, no fencing of agents.
struct QueuePeerFigures {
  std::string name;
  std::string missing;  // Why it was not measured; empty when it was.
  std::vector<double> tasks_per_s;
  double cpu_s_per_1000 = 0;  // Of the server: the worker's library does part of the work.
  // Absent when workers had not taken all tasks 5 s after the last: it does not keep up.
  std::optional<double> grant_p50_us;
  std::optional<double> grant_p99_us;
  // Results of workers that were stopped past their locks and continued while others worked at the
  // same tasks; absent where locks last for hours.
  std::optional<int> stale_accepted;
  int stale_refused = 0;
};

// BullMQ on Redis with `appendfsync always`, graphile-worker on PostgreSQL with
// `synchronous_commit=on`, Temporal's development server on a file, one after the other.
std::vector<QueuePeerFigures> MeasureQueuePeers(const QueuePeerOptions& options);

}  // namespace slipway::bench
