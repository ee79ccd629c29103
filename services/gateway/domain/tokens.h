#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/mutex.h"
#include "services/gateway/domain/token.h"
#include "services/gateway/domain/token_store.h"

namespace slipway::gateway {

// Who may call. Secrets are known by their digests only.
//
// All tokens that work are in memory, so Authenticate never blocks and a revoked token stops with
// the return of Revoke. Thread-safe; the collaborators must outlive it.
class Tokens final {
 public:
  struct Issued {
    std::string secret;  // Told this once.
    Token token;
  };
  struct Draft {
    std::string title;
    Role role = Role::kNone;
    std::optional<absl::Time> expire_time;
  };
  // Gets the name of a token that was just revoked; called under no lock.
  using OnRevoked = std::function<void(const std::string& name)>;

  static absl::StatusOr<std::unique_ptr<Tokens>> Open(TokenStore& store, base::Clock& clock,
                                                      base::IdGenerator& ids,
                                                      OnRevoked on_revoked = nullptr);

  // The token of `secret`. Fails with TOKEN_INVALID.
  absl::StatusOr<Token> Authenticate(absl::string_view secret) const;

  // Fails with ROLE_INVALID, TITLE_INVALID, EXPIRY_INVALID, TOKEN_EXISTS or TOKENS_TOO_MANY.
  absl::StatusOr<Issued> Create(const Draft& draft, const std::string& actor);

  // A lasting administrator's token for programs on this machine; its title names itself.
  absl::StatusOr<Issued> CreateLocal(const std::string& actor);

  // Trades a one-time token, once, for an administrator's token. Fails with TOKEN_INVALID.
  absl::StatusOr<Issued> Exchange(absl::string_view one_time_token);

  // Makes a one-time token known for kOneTimeTokenLife. One that was offered before is ignored.
  absl::Status OfferOneTime(absl::string_view one_time_token);

  // Ends a token and, through OnRevoked, what it is doing. Idempotent. Fails with TOKEN_UNKNOWN.
  absl::Status Revoke(const std::string& name, const std::string& actor);

  absl::StatusOr<TokenPage> List(std::optional<int64_t> before, int limit) {
    return store_.List(before, limit);
  }

 private:
  Tokens(TokenStore& store, base::Clock& clock, base::IdGenerator& ids, OnRevoked on_revoked)
      : store_(store), clock_(clock), ids_(ids), on_revoked_(std::move(on_revoked)) {}

  StoredToken NewToken(const Draft& draft, const std::string& secret);
  void Remember(const StoredToken& token);

  TokenStore& store_;
  base::Clock& clock_;
  base::IdGenerator& ids_;
  const OnRevoked on_revoked_;
  // Held over a change of the store and of the memory, so that both see changes in one order.
  base::Mutex change_mutex_;
  mutable base::Mutex mutex_;
  absl::flat_hash_map<std::string, Token> by_digest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::gateway
