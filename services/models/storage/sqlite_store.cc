#include "services/models/storage/sqlite_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"
#include "services/models/storage/sqlite_calibration.h"
#include "services/models/storage/sqlite_cassette_store.h"
#include "services/models/storage/stored_form.h"

namespace slipway::models {
namespace {

// Some 500 calls: of the pages that they change again and again only the last state is carried
// over.
constexpr int kCheckpointPages = 8'000;

// Order is history: append to this list, never edit it.
constexpr sqlite::Migration kMigrations[] = {
    {1, events::kEventLogSchema},
    {2,
     "CREATE TABLE call("
     " sequence INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"  // Never reused: page tokens name it.
     " id TEXT NOT NULL UNIQUE, call_id TEXT NOT NULL, try_number INTEGER NOT NULL,"
     " owner TEXT NOT NULL, key_hash TEXT NOT NULL, fingerprint TEXT NOT NULL,"
     " start_us INTEGER NOT NULL, end_us INTEGER,"
     " project TEXT NOT NULL, plan TEXT NOT NULL, task TEXT NOT NULL, attempt TEXT NOT NULL,"
     " role TEXT NOT NULL, intent TEXT NOT NULL,"
     " provider TEXT NOT NULL, model TEXT NOT NULL, service_tier TEXT NOT NULL,"
     " phase INTEGER NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, error TEXT NOT NULL,"
     " reply TEXT NOT NULL, finish_reason TEXT NOT NULL, tokens TEXT NOT NULL,"
     " charge_usd_nanos INTEGER NOT NULL, route_reasons TEXT NOT NULL) STRICT;"
     "CREATE INDEX call_by_call_id ON call(call_id, try_number);"
     "CREATE INDEX call_by_key ON call(attempt) WHERE key_hash<>'';"
     "CREATE INDEX call_running ON call(owner) WHERE end_us IS NULL;"
     "CREATE INDEX call_with_reply ON call(end_us) WHERE reply<>'';"
     "CREATE TABLE owed("
     " reservation TEXT PRIMARY KEY NOT NULL, since_us INTEGER NOT NULL, owner TEXT NOT NULL,"
     " settlement TEXT NOT NULL) STRICT;"
     "CREATE TABLE owner("
     " owner TEXT PRIMARY KEY NOT NULL, closed INTEGER NOT NULL) STRICT;"
     "CREATE TABLE gate("
     " name TEXT PRIMARY KEY NOT NULL, cause TEXT NOT NULL, until_us INTEGER,"
     " detail TEXT NOT NULL) STRICT;"
     "CREATE TABLE attempt_key("
     " hash TEXT PRIMARY KEY NOT NULL, attempt TEXT NOT NULL, epoch INTEGER NOT NULL,"
     " project TEXT NOT NULL, plan TEXT NOT NULL, task TEXT NOT NULL, roles TEXT NOT NULL,"
     " expire_us INTEGER NOT NULL, limit_usd_nanos INTEGER NOT NULL,"
     " UNIQUE(attempt, epoch)) STRICT;"},
    {3,
     "CREATE TABLE approval("
     " id TEXT PRIMARY KEY NOT NULL, scope TEXT NOT NULL, role TEXT NOT NULL,"
     " calls INTEGER NOT NULL CHECK(calls>=0), expire_us INTEGER NOT NULL,"
     " principal TEXT NOT NULL) STRICT;"},
    {4, "ALTER TABLE owner ADD COLUMN boot TEXT NOT NULL DEFAULT ''"},
    {5, kCassetteSchema},
    {6,
     "CREATE TABLE role_decision("
     " attempt TEXT PRIMARY KEY NOT NULL, project TEXT NOT NULL, plan TEXT NOT NULL,"
     " task TEXT NOT NULL, time_us INTEGER NOT NULL, named_role TEXT NOT NULL, role TEXT NOT NULL,"
     " intent TEXT NOT NULL, complexity INTEGER NOT NULL, validation_need INTEGER NOT NULL,"
     " escalation_depth INTEGER NOT NULL, reasons TEXT NOT NULL) STRICT;"
     "CREATE INDEX role_decision_by_task ON role_decision(plan, task);"
     "CREATE INDEX role_decision_by_time ON role_decision(time_us);"
     "CREATE INDEX call_by_end ON call(end_us) WHERE end_us IS NOT NULL;"},
    {7,
     "CREATE TABLE revoked_attempt("
     " attempt TEXT PRIMARY KEY NOT NULL, time_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
     "CREATE INDEX revoked_attempt_by_time ON revoked_attempt(time_us);"},
    {8, kCalibrationSchema},
    {9, "ALTER TABLE attempt_key ADD COLUMN generation INTEGER NOT NULL DEFAULT 0"},
};

// Columns of every query of calls, in the order of ReadCall.
#define SLIPWAY_CALL_COLUMNS                                                                \
  "sequence,id,call_id,try_number,owner,key_hash,fingerprint,start_us,end_us,project,plan," \
  "task,attempt,role,intent,provider,model,service_tier,phase,outcome,reason,error,"        \
  "finish_reason,tokens,charge_usd_nanos,route_reasons"

constexpr sqlite::Sql kInsertCall =
    "INSERT INTO call(id,call_id,try_number,owner,key_hash,fingerprint,start_us,project,plan,task,"
    "attempt,role,intent,provider,model,service_tier,phase,outcome,reason,error,reply,"
    "finish_reason,tokens,charge_usd_nanos,route_reasons)"
    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'RUNNING','','','','','{}',?,?)";
constexpr sqlite::Sql kKeyExists = "SELECT 1 FROM attempt_key WHERE hash=?";
constexpr sqlite::Sql kKeyUse =
    "SELECT COALESCE(SUM(CASE WHEN end_us IS NULL THEN 0 ELSE charge_usd_nanos END),0),"
    " COALESCE(SUM(CASE WHEN end_us IS NULL THEN charge_usd_nanos ELSE 0 END),0)"
    " FROM call WHERE attempt=? AND key_hash<>''";
constexpr sqlite::Sql kLowerCharge =
    "UPDATE call SET charge_usd_nanos=? WHERE id=? AND end_us IS NULL";
constexpr sqlite::Sql kCallExists = "SELECT id FROM call WHERE id=?";
constexpr sqlite::Sql kEndCall =
    "UPDATE call SET end_us=?,phase=2,outcome=?,reason=?,error=?,reply=?,finish_reason=?,tokens=?,"
    "charge_usd_nanos=? WHERE id=? AND end_us IS NULL";
constexpr sqlite::Sql kInsertOwed =
    "INSERT OR REPLACE INTO owed(reservation,since_us,owner,settlement) VALUES(?,?,?,?)";
constexpr sqlite::Sql kDeleteOwed = "DELETE FROM owed WHERE reservation=?";
constexpr sqlite::Sql kSetCost = "UPDATE call SET charge_usd_nanos=? WHERE id=?";
constexpr sqlite::Sql kSelectOwed =
    "SELECT reservation,settlement FROM owed WHERE reservation>? ORDER BY reservation"
    " LIMIT ?";
constexpr sqlite::Sql kSelectTries =
    "SELECT " SLIPWAY_CALL_COLUMNS ",reply FROM call WHERE call_id=? ORDER BY try_number";
constexpr sqlite::Sql kSelectCalls =
    "SELECT " SLIPWAY_CALL_COLUMNS
    ",'' FROM call WHERE sequence<?1 AND (?2='' OR ?2 IN"
    " (project,plan,task,attempt)) ORDER BY sequence DESC LIMIT ?3";
constexpr sqlite::Sql kSelectLeftRunning = "SELECT " SLIPWAY_CALL_COLUMNS
                                           ",reply FROM call WHERE end_us IS NULL AND owner<>?"
                                           " ORDER BY sequence LIMIT ?";
constexpr sqlite::Sql kInsertOwner = "INSERT OR IGNORE INTO owner(owner,closed,boot) VALUES(?,0,?)";
constexpr sqlite::Sql kOwnersOfBoot = "SELECT owner FROM owner WHERE closed=0 AND boot=?";
constexpr sqlite::Sql kOwnersToClose =
    "SELECT owner FROM owner WHERE closed=0 AND owner<>?"
    " AND owner NOT IN (SELECT owner FROM owed)"
    " AND owner NOT IN (SELECT owner FROM call WHERE end_us IS NULL) LIMIT 1000";
constexpr sqlite::Sql kCloseOwner = "UPDATE owner SET closed=1 WHERE owner=?";
constexpr sqlite::Sql kInsertApproval =
    "INSERT OR IGNORE INTO approval(id,scope,role,calls,expire_us,principal) VALUES(?,?,?,?,?,?)";
constexpr sqlite::Sql kApprovalEnd = "SELECT expire_us FROM approval WHERE id=?";
constexpr sqlite::Sql kFindApproval =
    "SELECT id FROM approval WHERE role=?1 AND calls>0 AND expire_us>?2 AND scope IN (?3,?4,?5)"
    " ORDER BY expire_us LIMIT 1";
constexpr sqlite::Sql kUseApproval =
    "UPDATE approval SET calls=calls-1 WHERE id=? AND calls>0 AND expire_us>? RETURNING id";
constexpr sqlite::Sql kPruneApprovals = "DELETE FROM approval WHERE expire_us<?";
constexpr sqlite::Sql kSelectGates = "SELECT name,cause,until_us,detail FROM gate ORDER BY name";
constexpr sqlite::Sql kPutGate =
    "INSERT OR REPLACE INTO gate(name,cause,until_us,detail) VALUES(?,?,?,?)";
constexpr sqlite::Sql kDeleteGate = "DELETE FROM gate WHERE name=?";
constexpr sqlite::Sql kPruneDecisions = "DELETE FROM role_decision WHERE time_us<?";
constexpr sqlite::Sql kPruneRevoked = "DELETE FROM revoked_attempt WHERE time_us<?";
// Each takes rows from an index or the key, so that a table with nothing to drop is not read.
#define SLIPWAY_CALL_MAY_GO                                              \
  " AND end_us IS NOT NULL AND id NOT IN (SELECT reservation FROM owed)" \
  " AND (key_hash='' OR attempt NOT IN (SELECT attempt FROM attempt_key))"
constexpr sqlite::Sql kPruneOldCalls =
    "DELETE FROM call WHERE sequence IN (SELECT sequence FROM call WHERE "
    "end_us<?" SLIPWAY_CALL_MAY_GO " ORDER BY end_us LIMIT ?) RETURNING sequence";
constexpr sqlite::Sql kPruneExcessCalls =
    "DELETE FROM call WHERE sequence IN (SELECT sequence FROM call"
    " WHERE sequence<=(SELECT MAX(sequence) FROM call)-?" SLIPWAY_CALL_MAY_GO
    " ORDER BY sequence LIMIT ?) RETURNING sequence";
constexpr sqlite::Sql kPruneReplies = "UPDATE call SET reply='' WHERE reply<>'' AND end_us<?";
constexpr sqlite::Sql kPruneKeys = "DELETE FROM attempt_key WHERE expire_us<?";

CallRecord ReadCall(const sqlite::Row& row) {
  return {.sequence = row.Int64(0),
          .id = row.Text(1),
          .call_id = row.Text(2),
          .try_number = row.Int(3),
          .owner = row.Text(4),
          .key_hash = row.Text(5),
          .fingerprint = row.Text(6),
          .start_time = row.Time(7),
          .end_time = row.OptionalTime(8),
          .scopes = {.project = row.Text(9),
                     .plan = row.Text(10),
                     .task = row.Text(11),
                     .attempt = row.Text(12),
                     .role = row.Text(13)},
          .intent = row.Text(14),
          .provider = row.Text(15),
          .model = row.Text(16),
          .service_tier = row.Text(17),
          .phase = static_cast<Phase>(row.Int(18)),
          .outcome = row.Text(19),
          .reason = row.Text(20),
          .error = ErrorFromJson(row.Text(21)),
          .reply = row.Text(26),
          .finish_reason = row.Text(22),
          .tokens = TokensFromJson(row.Text(23)),
          .charge_usd_nanos = row.Int64(24),
          .route_reasons = LinesFromJson(row.Text(25))};
}

std::string ReadHash(const sqlite::Row& row) { return row.Text(0); }

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& path,
                                                               base::Clock& clock,
                                                               base::IdGenerator& ids) {
  ASSIGN_OR_RETURN(std::unique_ptr<sqlite::Database> database,
                   sqlite::Database::Open(path, {.migrations = kMigrations,
                                                 .exclusive = true,
                                                 .gather_log = true,
                                                 .checkpoint_pages = kCheckpointPages,
                                                 .checkpoint_apart = true}));
  ASSIGN_OR_RETURN(std::unique_ptr<events::EventLog> event_log,
                   events::EventLog::Open(*database, ids, "models"));
  ASSIGN_OR_RETURN(std::unique_ptr<HoldNotes> notes,
                   HoldNotes::Open(path == ":memory:" ? "" : absl::StrCat(path, "-holds")));
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(std::move(database), std::move(event_log), std::move(notes), clock));
}

template <typename Change>
auto SqliteStore::WriteWithEvent(const events::EventDraft& event, Change change) {
  const absl::Time now = clock_.Now();
  const absl::Status written =
      database_->Write([&](sqlite::Transaction& transaction) -> absl::Status {
        RETURN_IF_ERROR(change(transaction));
        return event_log_->Append(transaction, now, event).status();
      });
  if (written.ok()) event_log_->NotifyAppended();
  return written;
}

absl::StatusOr<int64_t> SqliteStore::Begin(const CallRecord& record,
                                           std::optional<AdmitKey> admit) {
  const absl::Time now = clock_.Now();
  return database_->WriteUnsynced([&](sqlite::Transaction& transaction) -> absl::StatusOr<int64_t> {
    int64_t asked = record.charge_usd_nanos;
    if (!record.key_hash.empty()) {
      ASSIGN_OR_RETURN(
          const std::optional<int64_t> exists,
          transaction.FindOne(
              kKeyExists, [](const sqlite::Row& row) { return row.Int64(0); }, record.key_hash));
      if (!exists.has_value()) return KeyInvalid();
    }
    if (admit.has_value()) {
      const auto read_use = [](const sqlite::Row& row) {
        return KeyUse{.settled_usd_nanos = row.Int64(0), .held_usd_nanos = row.Int64(1)};
      };
      ASSIGN_OR_RETURN(const KeyUse use,
                       transaction.QueryOne(kKeyUse, read_use, record.scopes.attempt));
      ASSIGN_OR_RETURN(asked, (*admit)(use));
    }
    if (!record.approval.empty()) {
      ASSIGN_OR_RETURN(const std::optional<std::string> used,
                       transaction.FindOne(kUseApproval, ReadHash, record.approval, now));
      if (!used.has_value()) return ApprovalRequired(record.scopes.role);
    }
    RETURN_IF_ERROR(transaction.Execute(
        kInsertCall, record.id, record.call_id, record.try_number, record.owner, record.key_hash,
        record.fingerprint, record.start_time, record.scopes.project, record.scopes.plan,
        record.scopes.task, record.scopes.attempt, record.scopes.role, record.intent,
        record.provider, record.model, record.service_tier, static_cast<int>(Phase::kReserving),
        asked, LinesToJson(record.route_reasons)));
    return asked;
  });
}

absl::Status SqliteStore::LowerCharge(const std::string& id, int64_t held_usd_nanos) {
  return database_->WriteUnsynced([&](sqlite::Transaction& transaction) {
    return transaction.Execute(kLowerCharge, held_usd_nanos, id);
  });
}

absl::Status SqliteStore::End(const CallRecord& record, const std::optional<Settlement>& owed,
                              const events::EventDraft& event) {
  const absl::Time now = clock_.Now();
  const auto change = [&](sqlite::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(transaction.Execute(kEndCall, record.end_time, record.outcome, record.reason,
                                        ErrorToJson(record.error), record.reply,
                                        record.finish_reason, TokensToJson(record.tokens),
                                        record.charge_usd_nanos, record.id));
    if (owed.has_value()) {
      RETURN_IF_ERROR(transaction.Execute(kInsertOwed, owed->reservation, now, record.owner,
                                          SettlementToJson(*owed)));
    }
    if (record.input.has_value()) {
      RETURN_IF_ERROR(AddSample(transaction, *record.input));
    }
    return event_log_->Append(transaction, now, event).status();
  };
  const absl::Status written = database_->WriteUnsynced(change);
  if (!written.ok()) return written;
  notes_->Remove(record.id);
  event_log_->NotifyAppended();
  return absl::OkStatus();
}

absl::Status SqliteStore::Owe(const Settlement& owed, const std::string& owner) {
  const absl::Time now = clock_.Now();
  return database_->WriteUnsynced([&](sqlite::Transaction& transaction) {
    return transaction.Execute(kInsertOwed, owed.reservation, now, owner, SettlementToJson(owed));
  });
}

absl::Status SqliteStore::MarkSettled(const std::string& reservation,
                                      std::optional<int64_t> cost_usd_nanos) {
  return database_->WriteUnsynced([&](sqlite::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(transaction.Execute(kDeleteOwed, reservation));
    if (!cost_usd_nanos.has_value()) return absl::OkStatus();
    return transaction.Execute(kSetCost, *cost_usd_nanos, reservation);
  });
}

absl::StatusOr<std::vector<InputCalibration>> SqliteStore::Calibrations() {
  return database_->Read(ReadCalibrations);
}

absl::StatusOr<std::vector<Settlement>> SqliteStore::Owed(const std::string& after, int limit) {
  const auto read = [](const sqlite::Row& row) {
    Settlement settlement = SettlementFromJson(row.Text(1));
    settlement.reservation = row.Text(0);
    return settlement;
  };
  return database_->Read(
      [&](sqlite::Reader& reader) { return reader.Query(kSelectOwed, read, after, limit); });
}

absl::StatusOr<std::vector<CallRecord>> SqliteStore::FindTries(const std::string& call_id) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return reader.Query(kSelectTries, ReadCall, call_id); });
}

absl::StatusOr<std::vector<CallRecord>> SqliteStore::ListCalls(int64_t before,
                                                               const std::string& scope,
                                                               int limit) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.Query(kSelectCalls, ReadCall, before, scope, limit);
  });
}

absl::StatusOr<std::vector<CallRecord>> SqliteStore::LeftRunning(const std::string& owner,
                                                                 const std::string& boot,
                                                                 int limit) {
  return database_->Read([&](sqlite::Reader& reader) -> absl::StatusOr<std::vector<CallRecord>> {
    ASSIGN_OR_RETURN(std::vector<CallRecord> left,
                     reader.Query(kSelectLeftRunning, ReadCall, owner, limit));
    std::vector<std::string> of_boot;
    if (!boot.empty()) {
      ASSIGN_OR_RETURN(of_boot, reader.Query(kOwnersOfBoot, ReadHash, boot));
    }
    for (CallRecord& record : left) {
      const bool same = std::count(of_boot.begin(), of_boot.end(), record.owner) > 0;
      const std::optional<HoldNotes::Notes> notes = notes_->Of(record.owner);
      const bool held = notes.has_value() && notes->count(record.id) > 0 &&
                        notes->at(record.id) == HoldNotes::Step::kHolding;
      if (!same || !held) record.phase = Phase::kSending;
    }
    return left;
  });
}

absl::StatusOr<Store::Unrecorded> SqliteStore::HeldUnrecorded(const std::string& boot) {
  Unrecorded unrecorded = {.owner = notes_->left_owner()};
  const std::optional<HoldNotes::Notes> notes = notes_->Of(unrecorded.owner);
  if (!notes.has_value() || boot.empty()) return unrecorded;
  return database_->Read([&](sqlite::Reader& reader) -> absl::StatusOr<Unrecorded> {
    ASSIGN_OR_RETURN(const std::vector<std::string> of_boot,
                     reader.Query(kOwnersOfBoot, ReadHash, boot));
    if (std::count(of_boot.begin(), of_boot.end(), unrecorded.owner) == 0) return unrecorded;
    for (const auto& [id, step] : *notes) {
      if (step != HoldNotes::Step::kHolding) continue;
      ASSIGN_OR_RETURN(const std::optional<std::string> recorded,
                       reader.FindOne(kCallExists, ReadHash, id));
      if (!recorded.has_value()) unrecorded.tries.push_back(id);
    }
    return unrecorded;
  });
}

absl::Status SqliteStore::RegisterOwner(const std::string& owner, const std::string& boot) {
  RETURN_IF_ERROR(database_->Write([&](sqlite::Transaction& transaction) {
    return transaction.Execute(kInsertOwner, owner, boot);
  }));
  return notes_->BeginFor(owner);
}

absl::StatusOr<std::vector<std::string>> SqliteStore::OwnersToClose(const std::string& owner) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return reader.Query(kOwnersToClose, ReadHash, owner); });
}

absl::Status SqliteStore::MarkOwnerClosed(const std::string& owner) {
  return database_->WriteUnsynced(
      [&](sqlite::Transaction& transaction) { return transaction.Execute(kCloseOwner, owner); });
}

absl::StatusOr<absl::Time> SqliteStore::PutApproval(const Approval& approval) {
  return database_->Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<absl::Time> {
    RETURN_IF_ERROR(transaction.Execute(kInsertApproval, approval.id, approval.scope, approval.role,
                                        approval.calls, approval.expire_time, approval.principal));
    return transaction.QueryOne(
        kApprovalEnd, [](const sqlite::Row& row) { return row.Time(0); }, approval.id);
  });
}

absl::StatusOr<std::optional<std::string>> SqliteStore::FindApproval(const Scopes& scopes,
                                                                     const std::string& role) {
  return database_->ReadUnsynced([&](sqlite::Reader& reader) {
    return reader.FindOne(kFindApproval, ReadHash, role, clock_.Now(), scopes.project, scopes.plan,
                          scopes.task);
  });
}

absl::StatusOr<std::vector<Gate>> SqliteStore::Gates() {
  const auto read = [](const sqlite::Row& row) {
    return Gate{.name = row.Text(0),
                .cause = row.Text(1),
                .until = row.OptionalTime(2),
                .detail = row.Text(3)};
  };
  return database_->Read([&](sqlite::Reader& reader) { return reader.Query(kSelectGates, read); });
}

absl::Status SqliteStore::PutGate(const Gate& gate, const events::EventDraft& event) {
  return WriteWithEvent(event, [&](sqlite::Transaction& transaction) {
    return transaction.Execute(kPutGate, gate.name, gate.cause, gate.until, gate.detail);
  });
}

absl::Status SqliteStore::RemoveGate(const std::string& name, const events::EventDraft& event) {
  return WriteWithEvent(event, [&](sqlite::Transaction& transaction) {
    return transaction.Execute(kDeleteGate, name);
  });
}

absl::StatusOr<int> SqliteStore::Prune(const Retention& retention) {
  return database_->WriteUnsynced([&](sqlite::Transaction& transaction) -> absl::StatusOr<int> {
    RETURN_IF_ERROR(transaction.Execute(kPruneReplies, retention.replies_before));
    RETURN_IF_ERROR(transaction.Execute(kPruneApprovals, retention.replies_before));
    RETURN_IF_ERROR(transaction.Execute(kPruneKeys, retention.replies_before));
    RETURN_IF_ERROR(transaction.Execute(kPruneDecisions, retention.calls_before));
    RETURN_IF_ERROR(transaction.Execute(kPruneRevoked, retention.calls_before));
    const auto read = [](const sqlite::Row& row) { return row.Int64(0); };
    ASSIGN_OR_RETURN(const std::vector<int64_t> old,
                     transaction.Query(kPruneOldCalls, read, retention.calls_before, kPruneBatch));
    ASSIGN_OR_RETURN(const std::vector<int64_t> excess,
                     transaction.Query(kPruneExcessCalls, read, retention.calls_max, kPruneBatch));
    return static_cast<int>(old.size() + excess.size());
  });
}

}  // namespace slipway::models
