#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/mutex.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/database.h"
#include "services/dispatcher/domain/task_store.h"
#include "services/dispatcher/storage/change_pipeline.h"

namespace slipway::dispatcher {

// The store in one SQLite file, with the dispatcher's event log. While it is open no other process
// can open it, and each change asserts the term that this process began.
class SqliteTaskStore final : public TaskStore {
 public:
  struct Options {
    std::string path;
    const char* vfs = nullptr;  // See sqlite::Options.
    // False: commits happen in RunQueued. For simulations that replay.
    bool own_thread = true;
    // Called when a change could not be stored, after which nothing is taken any more. Empty: the
    // process ends.
    std::function<void(const absl::Status&)> on_lost;
  };

  // FAILED_PRECONDITION (LOCKED) when another dispatcher has the file.
  static absl::StatusOr<std::unique_ptr<SqliteTaskStore>> Open(Options options, base::Clock& clock,
                                                               base::IdGenerator& ids);
  static absl::StatusOr<std::unique_ptr<SqliteTaskStore>> Open(const std::string& path,
                                                               base::Clock& clock,
                                                               base::IdGenerator& ids);

  events::EventLog& event_log() { return *log_; }
  int64_t term() const { return term_; }

  // Commits what is queued, on the calling thread. Only without own_thread.
  void RunQueued() { pipeline_->RunQueued(); }
  bool HasQueued() { return pipeline_->HasQueued(); }

  // Finishes the commits that are queued, with their callbacks, and takes no more.
  void Stop() { pipeline_->Stop(); }

  absl::StatusOr<Snapshot> Load() override;
  void Commit(ChangeSet changes, absl::AnyInvocable<void() &&> committed) override;
  absl::StatusOr<std::optional<Run>> FindRun(const std::string& plan) override;
  absl::StatusOr<RunPage> ListRuns(const std::string& project, int64_t before, int limit) override;
  absl::StatusOr<std::vector<std::pair<TaskState, int>>> CountTasks(
      const std::string& plan) override;
  absl::StatusOr<std::optional<Task>> FindTask(const TaskKey& key) override;
  absl::StatusOr<std::vector<Task>> ListTasks(const std::string& plan,
                                              const std::vector<TaskState>& states, int from,
                                              int limit) override;
  absl::StatusOr<std::optional<Attempt>> FindAttempt(const AttemptKey& key) override;
  absl::StatusOr<std::vector<Attempt>> ListAttempts(const TaskKey& task) override;
  absl::StatusOr<CheckpointPage> ListCheckpoints(const std::string& plan, bool show_resolved,
                                                 int64_t after, int limit) override;
  absl::StatusOr<std::vector<Pause>> ListPauses() override;
  absl::StatusOr<std::optional<KeptChange>> FindChange(const AttemptKey& attempt) override;
  std::optional<ChangeResult> TakeRecentChange(const AttemptKey& attempt) override;
  absl::StatusOr<ChangeResult> ReadChange(const AttemptKey& attempt) override;
  absl::StatusOr<EvidenceResult> ReadEvidence(const AttemptKey& attempt) override;
  absl::StatusOr<AuditResult> Audit() override;

 private:
  SqliteTaskStore(std::unique_ptr<sqlite::Database> database, Options options, base::Clock& clock)
      : database_(std::move(database)), options_(std::move(options)), clock_(clock) {}

  absl::Status BeginTerm();
  void Lose(const absl::Status& status);
  absl::Status Apply(sqlite::Transaction& transaction, std::vector<ChangeSet>& queued);
  void Keep(const std::vector<ResultWrite>& results);
  std::optional<ChangeResult> DropRecent(const AttemptKey& attempt)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(recent_mutex_);

  std::unique_ptr<sqlite::Database> database_;
  const Options options_;
  base::Clock& clock_;
  std::unique_ptr<events::EventLog> log_;
  int64_t term_ = 0;
  base::Mutex recent_mutex_;
  absl::node_hash_map<AttemptKey, ChangeResult> recent_ ABSL_GUARDED_BY(recent_mutex_);
  std::deque<AttemptKey> recent_order_ ABSL_GUARDED_BY(recent_mutex_);  // Also what was taken.
  size_t recent_bytes_ ABSL_GUARDED_BY(recent_mutex_) = 0;
  std::unique_ptr<ChangePipeline> pipeline_;  // Last: it uses all of them.
};

}  // namespace slipway::dispatcher
