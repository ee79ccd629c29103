#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/client/connection.h"
#include "cli/client/data_directory.h"
#include "cli/rehearse/history.h"
#include "cli/rehearse/rehearsal_report.h"
#include "cli/supervisor/suite.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "slipway/common/v1/policy.pb.h"

namespace slipway::cli {

// Replays the newest commits of a repository through a suite of its own and compares each tree
// with history. Every step is a call that any client could make. Commits are replayed in stretches
// that run at once, each a plan that starts from the commit before it; since every tree is compared
// with history, all stretches together say what one long chain would.
class Rehearsal final {
 public:
  struct Options {
    DataDirectory data;  // Of the suite; new.
    History::Source source;
    size_t commits = 0;
    std::vector<common::v1::Validator> validators;
    int agents = 0;          // 0: as many as the machine has processors.
    size_t stretch_max = 0;  // 0: what keeps all agents busy.
    std::function<void(absl::string_view line)> report;  // From any thread.
    // Once per commit, from any thread, one at a time.
    std::function<void(const HistoricCommit& commit, const Replay& replay, size_t settled,
                       size_t total)>
        on_replay;
    std::function<absl::Status()> check;  // Asked often; an error ends the rehearsal.
  };

  Rehearsal(Options options, base::Clock& clock);
  ~Rehearsal();

  // Blocks. Fails as History::Borrow, Suite::Start and Chain::Run, and with HISTORY_EMPTY when
  // there is nothing to replay.
  absl::StatusOr<RehearsalReport> Run();

 private:
  absl::Status Prepare();
  absl::Status CreateProject();
  absl::Status Replayed();
  void Work();
  absl::Status RunStretch(Stretch stretch);
  void Settle(size_t index, const Replay& replay);
  absl::Status Check();

  const Options options_;
  base::Clock& clock_;
  RehearsalReport report_;
  std::vector<std::string> unscripted_;  // Why a commit has no reply; empty for most.
  std::string repository_;
  std::unique_ptr<Suite> suite_;
  std::unique_ptr<Connection> connection_;

  base::Mutex mutex_;
  std::deque<Stretch> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  size_t settled_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::cli
