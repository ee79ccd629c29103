#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cli/client/connection.h"
#include "cli/client/event_stream.h"
#include "cli/rehearse/history.h"
#include "cli/rehearse/rehearsal_report.h"
#include "lib/base/clock.h"

namespace slipway::cli {

// Replays consecutive commits as one plan, in which each task depends on the one before it. Not
// thread-safe.
class Chain final {
 public:
  struct Options {
    std::string project;  // projects/{p}.
    std::string title;
    // Told once when what became of a commit is known.
    std::function<void(size_t index, const Replay& replay)> on_replay;
    // Asked often; an error ends the waiting.
    std::function<absl::Status()> check;
  };

  // `commits` must outlive the chain.
  Chain(Connection& connection, base::Clock& clock, absl::Span<const HistoricCommit> commits,
        Options options);

  // Carries the plan out until all of it is replayed, or until the first commit that is refused or
  // gives another tree: what follows would stand on something that never was, so the plan ends
  // there. Returns how many commits were settled, at least one. Fails with REHEARSAL_STUCK, or as
  // the calls do.
  absl::StatusOr<size_t> Run();

 private:
  absl::Status Start();
  absl::Status Follow();
  absl::Status TakeEvent(const events::v1::Event& event);
  absl::Status Decide(const std::string& checkpoint, const std::string& task);
  absl::Status Resolve(const std::string& checkpoint,
                       dispatcher::v1::Checkpoint::Decision decision);
  absl::StatusOr<dispatcher::v1::Checkpoint> FindCheckpoint(const std::string& name);
  absl::StatusOr<Replay> WhyNot(const std::string& task, const dispatcher::v1::Checkpoint& asked);
  absl::Status Compare();
  absl::Status Cancel();
  void Settle(size_t index, Replay replay);
  std::optional<size_t> IndexOf(const std::string& task) const;

  Connection& connection_;
  base::Clock& clock_;
  const absl::Span<const HistoricCommit> commits_;
  const Options options_;
  std::map<std::string, size_t> index_;  // By task id.
  std::string plan_;
  std::vector<Replay> replays_;
  size_t merged_ = 0;             // Tasks, as events told.
  std::optional<size_t> broken_;  // The first commit that did not become what it was.
  bool ended_ = false;
};

}  // namespace slipway::cli
