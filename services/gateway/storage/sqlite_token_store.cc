#include "services/gateway/storage/sqlite_token_store.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "services/gateway/domain/errors.h"
#include "services/gateway/domain/limits.h"

namespace slipway::gateway {
namespace {

constexpr sqlite::Sql kSelectUnrevoked =
    "SELECT position,name,title,role,create_time_us,expire_time_us,revoked,secret_digest FROM token"
    " WHERE revoked=0 ORDER BY position LIMIT ?";
constexpr sqlite::Sql kSelectByName =
    "SELECT position,name,title,role,create_time_us,expire_time_us,revoked,secret_digest FROM token"
    " WHERE name=?";
constexpr sqlite::Sql kSelectOlder =
    "SELECT position,name,title,role,create_time_us,expire_time_us,revoked,secret_digest FROM token"
    " WHERE position<? ORDER BY position DESC LIMIT ?";
constexpr sqlite::Sql kCountUnrevoked = "SELECT COUNT(*) FROM token WHERE revoked=0";
// Expired tokens make room, and free their titles.
constexpr sqlite::Sql kRevokeExpired =
    "UPDATE token SET revoked=1 WHERE revoked=0 AND expire_time_us<=?";
constexpr sqlite::Sql kInsert =
    "INSERT INTO token(name,title,role,secret_digest,create_time_us,expire_time_us,revoked)"
    " VALUES(?,?,?,?,?,?,0)";
constexpr sqlite::Sql kRevoke = "UPDATE token SET revoked=1 WHERE name=?";
constexpr sqlite::Sql kOffer =
    "INSERT OR IGNORE INTO one_time_token(secret_digest,expire_time_us,used) VALUES(?,?,0)";
constexpr sqlite::Sql kUse =
    "UPDATE one_time_token SET used=1 WHERE secret_digest=? AND used=0 AND expire_time_us>?";

struct Row {
  int64_t position = 0;
  StoredToken stored;
};

Row ReadToken(const sqlite::Row& row) {
  return {.position = row.Int64(0),
          .stored = {.token = {.name = row.Text(1),
                               .title = row.Text(2),
                               .role = RoleFromName(row.Text(3)).value_or(Role::kNone),
                               .create_time = row.Time(4),
                               .expire_time = row.OptionalTime(5),
                               .revoked = row.Bool(6)},
                     .secret_digest = row.Text(7)}};
}

int64_t ReadInt64(const sqlite::Row& row) { return row.Int64(0); }

}  // namespace

absl::StatusOr<std::vector<StoredToken>> SqliteTokenStore::LoadUnrevoked() {
  ASSIGN_OR_RETURN(std::vector<Row> rows, database_.Read([](sqlite::Reader& reader) {
    return reader.Query(kSelectUnrevoked, ReadToken, kTokensMax);
  }));
  std::vector<StoredToken> tokens;
  tokens.reserve(rows.size());
  for (Row& row : rows) tokens.push_back(std::move(row.stored));
  return tokens;
}

absl::Status SqliteTokenStore::Add(const StoredToken& token, const Deed& deed) {
  return Committed(database_.Write([&](sqlite::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(Insert(transaction, token));
    return AppendChange(transaction, token.token, "created", deed);
  }));
}

absl::StatusOr<bool> SqliteTokenStore::Revoke(const std::string& name, const Deed& deed) {
  absl::StatusOr<bool> worked =
      database_.Write([&](sqlite::Transaction& transaction) -> absl::StatusOr<bool> {
        ASSIGN_OR_RETURN(const std::optional<Row> row,
                         transaction.FindOne(kSelectByName, ReadToken, name));
        if (!row.has_value()) return TokenUnknown(name);
        if (row->stored.token.revoked) return false;
        RETURN_IF_ERROR(transaction.Execute(kRevoke, name));
        RETURN_IF_ERROR(AppendChange(transaction, row->stored.token, "revoked", deed));
        return true;
      });
  Committed(worked.status()).IgnoreError();
  return worked;
}

absl::Status SqliteTokenStore::OfferOneTime(const std::string& secret_digest,
                                            absl::Time expire_time) {
  return database_.Write([&](sqlite::Transaction& transaction) {
    return transaction.Execute(kOffer, secret_digest, expire_time);
  });
}

absl::Status SqliteTokenStore::Exchange(const std::string& secret_digest, const StoredToken& token,
                                        const Deed& deed) {
  return Committed(database_.Write([&](sqlite::Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(transaction.Execute(kUse, secret_digest, deed.time));
    if (transaction.changes() != 1) return TokenInvalid();
    RETURN_IF_ERROR(Insert(transaction, token));
    return AppendChange(transaction, token.token, "exchanged", deed);
  }));
}

absl::StatusOr<TokenPage> SqliteTokenStore::List(std::optional<int64_t> before, int limit) {
  ASSIGN_OR_RETURN(std::vector<Row> rows, database_.Read([&](sqlite::Reader& reader) {
    return reader.Query(kSelectOlder, ReadToken,
                        before.value_or(std::numeric_limits<int64_t>::max()), limit + 1);
  }));
  TokenPage page;
  if (rows.size() > static_cast<size_t>(limit)) {
    rows.pop_back();
    page.next = rows.back().position;
  }
  for (Row& row : rows) page.tokens.push_back(std::move(row.stored.token));
  return page;
}

absl::Status SqliteTokenStore::Append(absl::Time time, const events::EventDraft& draft) {
  return Committed(database_.Write([&](sqlite::Transaction& transaction) {
    return log_.Append(transaction, time, draft).status();
  }));
}

absl::Status SqliteTokenStore::Insert(sqlite::Transaction& transaction, const StoredToken& token) {
  RETURN_IF_ERROR(transaction.Execute(kRevokeExpired, token.token.create_time));
  ASSIGN_OR_RETURN(const int64_t count, transaction.QueryOne(kCountUnrevoked, ReadInt64));
  if (count >= kTokensMax) return TokensTooMany(kTokensMax);
  const absl::Status inserted =
      transaction.Execute(kInsert, token.token.name, token.token.title, RoleName(token.token.role),
                          token.secret_digest, token.token.create_time, token.token.expire_time);
  if (base::ReasonOf(inserted) == "ROW_EXISTS") return TokenExists(token.token.title);
  return inserted;
}

absl::Status SqliteTokenStore::AppendChange(sqlite::Transaction& transaction, const Token& token,
                                            absl::string_view change, const Deed& deed) {
  const nlohmann::json facts = {{"token", token.name},
                                {"change", std::string(change)},
                                {"role", std::string(RoleName(token.role))},
                                {"actor", deed.actor.empty() ? token.name : deed.actor}};
  events::EventDraft draft;
  draft.kind = "token.changed";
  draft.payload_json = events::PayloadJson(
      draft.kind, facts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return log_.Append(transaction, deed.time, draft).status();
}

absl::Status SqliteTokenStore::Committed(absl::Status status) {
  if (status.ok()) log_.NotifyAppended();
  return status;
}

}  // namespace slipway::gateway
