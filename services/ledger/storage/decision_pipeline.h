#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/base/mutex.h"
#include "lib/sqlite/database.h"
#include "services/ledger/domain/changes.h"
#include "services/ledger/storage/change_writer.h"
#include "services/ledger/storage/decision_log.h"
#include "services/ledger/storage/unstored_changes.h"

namespace slipway::ledger {

// Makes decisions durable in the order of their making, sends their replies, and then brings them
// into the tables: one thread logs and syncs all that has queued up, a second writes to the tables
// what was logged, in larger transactions that need no sync of their own. So the tables hold only
// what is durable. Before a file of the log is begun again, the tables are synced.
//
// After a failure nothing more is logged, replies are UNAVAILABLE (COMMIT_FAILED), and `on_lost` is
// told once: what is in memory, in the log and in the tables may then differ.
class DecisionPipeline final {
 public:
  struct Options {
    base::Executor* repliers = nullptr;  // Null, or full: the thread that logs sends the replies.
    // False: there are no threads; Log and Apply do what has queued up. For a simulation.
    bool own_threads = true;
    std::function<void()> on_applied;  // The tables have changed. Must not block.
    std::function<void(const absl::Status&)> on_lost;
  };
  // Sends the reply that the decision led to or, when that is lost, an error.
  using Answer = absl::AnyInvocable<void(const absl::Status& lost)>;

  // All must outlive the pipeline; what was in the log before is in the tables, which end with the
  // decision `applied`.
  DecisionPipeline(DecisionLog& log, sqlite::Database& database, ChangeWriter& writer,
                   base::Clock& clock, Options options);
  ~DecisionPipeline() { Stop(); }

  // These three by the one thread that decides. `changes` may be empty: the answer waits for those
  // before it, on which it may rest. `lost` is why memory may be wrong after this decision.
  void Add(Changes changes, Answer answer, absl::Status lost = absl::OkStatus());
  // Whether the reservation of `key` may not be in the tables yet.
  bool IsUnstored(const std::string& key) { return unstored_.Contains(key); }
  // Waits until at most `left` decisions are not in the tables. Fails when some never will be.
  absl::Status WaitUntil(int64_t left) { return unstored_.WaitUntil(left); }

  // Waits until the tables hold what was acknowledged before the call.
  absl::Status WaitForAcknowledged();

  // Without threads: logs, syncs and answers what was added; brings what was logged into the
  // tables.
  void Log();
  void Apply();

  // Brings everything into the tables and joins. Idempotent.
  void Stop();

  // The failure, if there was one.
  absl::Status failure();

  // How many decisions are in the log and not in the tables.
  int64_t waiting();

 private:
  struct Decision {
    Changes changes;
    Answer answer;
    absl::Status lost;
  };
  using Decisions = std::vector<Decision>;

  void LogLoop();
  void ApplyLoop();
  void LogAll(Decisions decisions);
  absl::Status WriteRecord(Decisions::iterator& next, Decisions::iterator end, Decisions& logged);
  absl::Status MakeRoom();
  void HandOver(Decisions& decisions);
  void Reply(Decisions decisions);
  void Lose(Decisions decisions, const absl::Status& cause);
  void ApplyAll(std::vector<Changes> changes);
  absl::Status WriteTables(std::vector<Changes>& changes);
  // Whether the tables hold what they are wanted to hold durably, and may lose it.
  bool SyncIsDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(logged_mutex_);
  void Urge();

  DecisionLog& log_;
  sqlite::Database& database_;
  ChangeWriter& writer_;
  base::Clock& clock_;
  const Options options_;
  UnstoredChanges unstored_;
  int64_t added_count_ = 0;  // Of changes; belongs to the thread that decides.

  base::Mutex added_mutex_;
  base::CondVar added_changed_;
  Decisions added_ ABSL_GUARDED_BY(added_mutex_);
  bool added_all_ ABSL_GUARDED_BY(added_mutex_) = false;

  std::string record_;  // Of the thread that logs: kept for its memory.

  base::Mutex logged_mutex_;
  base::CondVar logged_changed_;   // For the thread that applies.
  base::CondVar applied_changed_;  // For those who wait for it.
  std::vector<Changes> logged_ ABSL_GUARDED_BY(logged_mutex_);
  bool logged_all_ ABSL_GUARDED_BY(logged_mutex_) = false;
  // How many decisions were ever logged and applied, and are waited for.
  int64_t logged_count_ ABSL_GUARDED_BY(logged_mutex_) = 0;
  int64_t applied_count_ ABSL_GUARDED_BY(logged_mutex_) = 0;
  int64_t urgent_ ABSL_GUARDED_BY(logged_mutex_) = 0;
  // Numbers of decisions: what the tables hold, hold durably, and are wanted to hold durably.
  int64_t applied_ ABSL_GUARDED_BY(logged_mutex_) = 0;
  int64_t durable_ ABSL_GUARDED_BY(logged_mutex_) = 0;
  int64_t wanted_ ABSL_GUARDED_BY(logged_mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(logged_mutex_);

  base::Mutex stop_mutex_;  // Lets concurrent Stops all wait for the one join.
  std::thread log_thread_;
  std::thread apply_thread_;
};

}  // namespace slipway::ledger
