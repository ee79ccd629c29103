#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/database.h"
#include "services/models/domain/store.h"
#include "services/models/storage/hold_notes.h"

namespace slipway::models {

// The store in one SQLite file, with the event log of the service, and a file of notes beside it
// (`path`-holds). Methods that promise to survive
// a power failure sync the log after their commit, others leave that to Sync; whoever reads what
// may still be undone syncs first. Thread-safe.
class SqliteStore final : public Store {
 public:
  // Opens or creates `path`, which no other process may have open.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path,
                                                           base::Clock& clock,
                                                           base::IdGenerator& ids);

  events::EventLog& event_log() { return *event_log_; }
  // For other parts of the service that keep something in the same file.
  sqlite::Database& database() { return *database_; }

  absl::Status NoteHold(const std::string& id) override { return notes_->Add(id); }
  void ForgetHold(const std::string& id) override { notes_->Remove(id); }
  absl::StatusOr<int64_t> Begin(const CallRecord& record, std::optional<AdmitKey> admit) override;
  absl::Status MarkSending(const std::string& id) override { return notes_->MarkSending(id); }
  absl::Status LowerCharge(const std::string& id, int64_t held_usd_nanos) override;
  absl::Status End(const CallRecord& record, const std::optional<Settlement>& owed,
                   const events::EventDraft& event) override;
  absl::Status Owe(const Settlement& owed, const std::string& owner) override;
  absl::Status MarkSettled(const std::string& reservation,
                           std::optional<int64_t> cost_usd_nanos) override;
  absl::StatusOr<std::vector<InputCalibration>> Calibrations() override;
  absl::StatusOr<std::vector<Settlement>> Owed(const std::string& after, int limit) override;
  absl::StatusOr<std::vector<CallRecord>> FindTries(const std::string& call_id) override;
  absl::StatusOr<std::vector<CallRecord>> ListCalls(int64_t before, const std::string& scope,
                                                    int limit) override;
  absl::StatusOr<std::vector<CallRecord>> LeftRunning(const std::string& owner,
                                                      const std::string& boot, int limit) override;
  absl::StatusOr<Unrecorded> HeldUnrecorded(const std::string& boot) override;
  absl::Status RegisterOwner(const std::string& owner, const std::string& boot) override;
  absl::StatusOr<std::vector<std::string>> OwnersToClose(const std::string& owner) override;
  absl::Status MarkOwnerClosed(const std::string& owner) override;
  absl::StatusOr<absl::Time> PutApproval(const Approval& approval) override;
  absl::StatusOr<std::optional<std::string>> FindApproval(const Scopes& scopes,
                                                          const std::string& role) override;
  absl::StatusOr<std::vector<Gate>> Gates() override;
  absl::Status PutGate(const Gate& gate, const events::EventDraft& event) override;
  absl::Status RemoveGate(const std::string& name, const events::EventDraft& event) override;
  absl::StatusOr<std::string> PutKey(const AttemptKey& key,
                                     const std::optional<RoleDecision>& decision,
                                     Durability durability = Durability::kAtOnce) override;
  absl::StatusOr<std::vector<RoleDecision>> Decisions(const std::string& scope, int limit) override;
  absl::StatusOr<std::optional<AttemptKey>> FindKey(const std::string& hash) override;
  absl::StatusOr<std::vector<std::string>> RemoveKeys(
      const std::string& attempt, Durability durability = Durability::kAtOnce) override;
  absl::Status Sync() override { return database_->SyncLog(); }
  absl::StatusOr<int> Prune(const Retention& retention) override;

 private:
  SqliteStore(std::unique_ptr<sqlite::Database> database,
              std::unique_ptr<events::EventLog> event_log, std::unique_ptr<HoldNotes> notes,
              base::Clock& clock)
      : database_(std::move(database)),
        event_log_(std::move(event_log)),
        notes_(std::move(notes)),
        clock_(clock) {}

  // Writes durably; then wakes the readers of the event log.
  template <typename Change>
  auto WriteWithEvent(const events::EventDraft& event, Change change);

  std::unique_ptr<sqlite::Database> database_;
  std::unique_ptr<events::EventLog> event_log_;
  std::unique_ptr<HoldNotes> notes_;
  base::Clock& clock_;
};

}  // namespace slipway::models
