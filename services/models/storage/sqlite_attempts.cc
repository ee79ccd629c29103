#include <utility>

#include "lib/base/status_macros.h"
#include "services/models/domain/errors.h"
#include "services/models/storage/sqlite_store.h"
#include "services/models/storage/stored_form.h"

// What the store keeps of attempts: their keys, and why they have their roles.
namespace slipway::models {
namespace {

constexpr sqlite::Sql kDeleteKeyOfEpoch =
    "DELETE FROM attempt_key WHERE attempt=? AND epoch=? RETURNING hash";
constexpr sqlite::Sql kHasLaterKey =
    "SELECT hash FROM attempt_key WHERE attempt=? AND epoch=? AND generation>?";
constexpr sqlite::Sql kInsertKey =
    "INSERT INTO attempt_key(hash,attempt,epoch,project,plan,task,roles,expire_us,limit_usd_nanos,"
    "generation) VALUES(?,?,?,?,?,?,?,?,?,?)";
constexpr sqlite::Sql kSelectKey =
    "SELECT hash,attempt,epoch,project,plan,task,roles,expire_us,limit_usd_nanos,generation"
    " FROM attempt_key WHERE hash=?";
constexpr sqlite::Sql kDeleteKeys = "DELETE FROM attempt_key WHERE attempt=? RETURNING hash";
constexpr sqlite::Sql kRevokeAttempt =
    "INSERT OR IGNORE INTO revoked_attempt(attempt,time_us) VALUES(?,?)";
constexpr sqlite::Sql kIsRevoked = "SELECT attempt FROM revoked_attempt WHERE attempt=?";
constexpr sqlite::Sql kPutDecision =
    "INSERT OR REPLACE INTO role_decision(attempt,project,plan,task,time_us,named_role,role,intent,"
    "complexity,validation_need,escalation_depth,reasons) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr sqlite::Sql kSelectDecisions =
    "SELECT attempt,project,plan,task,time_us,named_role,role,intent,complexity,validation_need,"
    "escalation_depth,reasons FROM role_decision WHERE ?1 IN (project,plan,task,attempt)"
    " ORDER BY time_us DESC,attempt DESC LIMIT ?2";

std::string ReadKeyHash(const sqlite::Row& row) { return row.Text(0); }

RoleDecision ReadDecision(const sqlite::Row& row) {
  return {.scopes = {.project = row.Text(1),
                     .plan = row.Text(2),
                     .task = row.Text(3),
                     .attempt = row.Text(0),
                     .role = row.Text(6)},
          .time = row.Time(4),
          .named_role = row.Text(5),
          .traits = {.intent = row.Text(7),
                     .complexity = static_cast<Complexity>(row.Int(8)),
                     .validation_need = static_cast<ValidationNeed>(row.Int(9)),
                     .escalation_depth = row.Int(10)},
          .reasons = LinesFromJson(row.Text(11))};
}

absl::Status WriteDecision(sqlite::Transaction& transaction, const RoleDecision& decision) {
  const Scopes& scopes = decision.scopes;
  const TaskTraits& traits = decision.traits;
  return transaction.Execute(kPutDecision, scopes.attempt, scopes.project, scopes.plan, scopes.task,
                             decision.time, decision.named_role, scopes.role, traits.intent,
                             static_cast<int>(traits.complexity),
                             static_cast<int>(traits.validation_need), traits.escalation_depth,
                             LinesToJson(decision.reasons));
}

}  // namespace

absl::StatusOr<std::string> SqliteStore::PutKey(const AttemptKey& key,
                                                const std::optional<RoleDecision>& decision,
                                                Durability durability) {
  const auto put = [&](sqlite::Transaction& transaction) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const std::optional<std::string> revoked,
                     transaction.FindOne(kIsRevoked, ReadKeyHash, key.scopes.attempt));
    if (revoked.has_value()) return AttemptRevoked(key.scopes.attempt);
    ASSIGN_OR_RETURN(const std::optional<std::string> later,
                     transaction.FindOne(kHasLaterKey, ReadKeyHash, key.scopes.attempt, key.epoch,
                                         key.generation));
    if (later.has_value()) return KeySuperseded(key.scopes.attempt);
    ASSIGN_OR_RETURN(
        const std::optional<std::string> replaced,
        transaction.FindOne(kDeleteKeyOfEpoch, ReadKeyHash, key.scopes.attempt, key.epoch));
    RETURN_IF_ERROR(transaction.Execute(kInsertKey, key.hash, key.scopes.attempt, key.epoch,
                                        key.scopes.project, key.scopes.plan, key.scopes.task,
                                        LinesToJson(key.roles), key.expire_time,
                                        key.limit_usd_nanos, key.generation));
    if (decision.has_value()) RETURN_IF_ERROR(WriteDecision(transaction, *decision));
    return replaced.value_or("");
  };
  return durability == Durability::kAtOnce ? database_->Write(put) : database_->WriteUnsynced(put);
}

absl::StatusOr<std::vector<RoleDecision>> SqliteStore::Decisions(const std::string& scope,
                                                                 int limit) {
  return database_->Read([&](sqlite::Reader& reader) {
    return reader.Query(kSelectDecisions, ReadDecision, scope, limit);
  });
}

absl::StatusOr<std::optional<AttemptKey>> SqliteStore::FindKey(const std::string& hash) {
  const auto read = [](const sqlite::Row& row) {
    return AttemptKey{.hash = row.Text(0),
                      .scopes = {.project = row.Text(3),
                                 .plan = row.Text(4),
                                 .task = row.Text(5),
                                 .attempt = row.Text(1)},
                      .epoch = row.Int64(2),
                      .generation = row.Int64(9),
                      .roles = LinesFromJson(row.Text(6)),
                      .expire_time = row.Time(7),
                      .limit_usd_nanos = row.Int64(8)};
  };
  return database_->ReadUnsynced(
      [&](sqlite::Reader& reader) { return reader.FindOne(kSelectKey, read, hash); });
}

absl::StatusOr<std::vector<std::string>> SqliteStore::RemoveKeys(const std::string& attempt,
                                                                 Durability durability) {
  const absl::Time now = clock_.Now();
  using Hashes = absl::StatusOr<std::vector<std::string>>;
  const auto remove = [&](sqlite::Transaction& transaction) -> Hashes {
    RETURN_IF_ERROR(transaction.Execute(kRevokeAttempt, attempt, now));
    return transaction.Query(kDeleteKeys, ReadKeyHash, attempt);
  };
  return durability == Durability::kAtOnce ? database_->Write(remove)
                                           : database_->WriteUnsynced(remove);
}

}  // namespace slipway::models
