#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/gateway/domain/role.h"

namespace slipway::gateway {

// A token, without its secret.
struct Token {
  std::string name;  // tokens/{t}
  std::string title;
  Role role = Role::kNone;
  absl::Time create_time;
  std::optional<absl::Time> expire_time;
  bool revoked = false;

  friend bool operator==(const Token&, const Token&) = default;
};

// A token and what its secret is known by.
struct StoredToken {
  Token token;
  std::string secret_digest;  // SHA-256 in hexadecimal digits.
};

// A stretch of all tokens, newest first.
struct TokenPage {
  std::vector<Token> tokens;
  std::optional<int64_t> next;  // Go on with the tokens older than it; absent at the end.
};

}  // namespace slipway::gateway
