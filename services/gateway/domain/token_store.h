#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/gateway/domain/token.h"

namespace slipway::gateway {

// Who did something when.
struct Deed {
  std::string actor;
  absl::Time time;
};

// Keeps tokens. Every change is durable when it returns and appends its event in the same step.
// Thread-safe; blocks on disk.
class TokenStore {
 public:
  virtual ~TokenStore() = default;

  // Tokens that are not revoked, at most kTokensMax.
  virtual absl::StatusOr<std::vector<StoredToken>> LoadUnrevoked() = 0;

  // Fails with TOKEN_EXISTS or TOKENS_TOO_MANY.
  virtual absl::Status Add(const StoredToken& token, const Deed& deed) = 0;

  // True when the token worked before; false when it was revoked already. Fails with
  // TOKEN_UNKNOWN.
  virtual absl::StatusOr<bool> Revoke(const std::string& name, const Deed& deed) = 0;

  // Makes a one-time token known until `expire_time`; one that is known already stays as it is.
  virtual absl::Status OfferOneTime(const std::string& secret_digest, absl::Time expire_time) = 0;

  // Uses a one-time token up and adds `token`, both or neither. Fails with TOKEN_INVALID when it is
  // unknown, used or expired.
  virtual absl::Status Exchange(const std::string& secret_digest, const StoredToken& token,
                                const Deed& deed) = 0;

  // Up to `limit` tokens, newest first, older than position `before`.
  virtual absl::StatusOr<TokenPage> List(std::optional<int64_t> before, int limit) = 0;
};

}  // namespace slipway::gateway
