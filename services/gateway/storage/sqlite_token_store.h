#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/events/event.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/database.h"
#include "services/gateway/domain/token_store.h"

namespace slipway::gateway {

// Tokens and the gateway's own events in gateway.db. The database and the log must outlive it.
class SqliteTokenStore final : public TokenStore {
 public:
  SqliteTokenStore(sqlite::Database& database, events::EventLog& log)
      : database_(database), log_(log) {}

  absl::StatusOr<std::vector<StoredToken>> LoadUnrevoked() override;
  absl::Status Add(const StoredToken& token, const Deed& deed) override;
  absl::StatusOr<bool> Revoke(const std::string& name, const Deed& deed) override;
  absl::Status OfferOneTime(const std::string& secret_digest, absl::Time expire_time) override;
  absl::Status Exchange(const std::string& secret_digest, const StoredToken& token,
                        const Deed& deed) override;
  absl::StatusOr<TokenPage> List(std::optional<int64_t> before, int limit) override;

  // Appends an event that changes no state.
  absl::Status Append(absl::Time time, const events::EventDraft& draft);

 private:
  absl::Status Insert(sqlite::Transaction& transaction, const StoredToken& token);
  absl::Status AppendChange(sqlite::Transaction& transaction, const Token& token,
                            absl::string_view change, const Deed& deed);
  // Wakes the readers of the log when `status` is OK.
  absl::Status Committed(absl::Status status);

  sqlite::Database& database_;
  events::EventLog& log_;
};

}  // namespace slipway::gateway
