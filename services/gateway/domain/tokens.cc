#include "services/gateway/domain/tokens.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"
#include "lib/base/status_macros.h"
#include "services/gateway/domain/errors.h"
#include "services/gateway/domain/limits.h"

namespace slipway::gateway {
namespace {

constexpr char kSecretPrefix[] = "slipway_";
constexpr char kNobody[] = "";

absl::Status CheckTitle(const std::string& title) {
  const auto characters =
      std::count_if(title.begin(), title.end(), [](char c) { return (c & 0xC0) != 0x80; });
  const bool has_control = std::any_of(title.begin(), title.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (characters < 1 || characters > static_cast<int64_t>(kTitleCharactersMax) || has_control) {
    return TitleInvalid(kTitleCharactersMax);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokens>> Tokens::Open(TokenStore& store, base::Clock& clock,
                                                     base::IdGenerator& ids, OnRevoked on_revoked) {
  std::unique_ptr<Tokens> tokens(new Tokens(store, clock, ids, std::move(on_revoked)));
  ASSIGN_OR_RETURN(const std::vector<StoredToken> stored, store.LoadUnrevoked());
  for (const StoredToken& token : stored) tokens->Remember(token);
  return tokens;
}

absl::StatusOr<Token> Tokens::Authenticate(absl::string_view secret) const {
  if (secret.empty() || secret.size() > kSecretBytesMax) return TokenInvalid();
  const std::string digest = base::Sha256Hex(secret);
  base::MutexLock lock(mutex_);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) return TokenInvalid();
  const Token& token = found->second;
  if (token.expire_time.has_value() && *token.expire_time <= clock_.Now()) return TokenInvalid();
  return token;
}

absl::StatusOr<Tokens::Issued> Tokens::Create(const Draft& draft, const std::string& actor) {
  if (!IsForTokens(draft.role)) return RoleInvalid();
  RETURN_IF_ERROR(CheckTitle(draft.title));
  if (draft.expire_time.has_value() && *draft.expire_time <= clock_.Now()) return ExpiryInvalid();
  Issued issued{.secret = ids_.NewSecret(kSecretPrefix), .token = {}};
  const StoredToken token = NewToken(draft, issued.secret);
  base::MutexLock lock(change_mutex_);
  RETURN_IF_ERROR(store_.Add(token, {.actor = actor, .time = clock_.Now()}));
  Remember(token);
  issued.token = token.token;
  return issued;
}

absl::StatusOr<Tokens::Issued> Tokens::CreateLocal(const std::string& actor) {
  Issued issued{.secret = ids_.NewSecret(kSecretPrefix), .token = {}};
  StoredToken token =
      NewToken({.title = "", .role = Role::kAdmin, .expire_time = std::nullopt}, issued.secret);
  token.token.title = absl::StrCat("this machine, ", token.token.name);
  base::MutexLock lock(change_mutex_);
  RETURN_IF_ERROR(store_.Add(token, {.actor = actor, .time = clock_.Now()}));
  Remember(token);
  issued.token = token.token;
  return issued;
}

absl::StatusOr<Tokens::Issued> Tokens::Exchange(absl::string_view one_time_token) {
  if (one_time_token.empty() || one_time_token.size() > kSecretBytesMax) return TokenInvalid();
  Issued issued{.secret = ids_.NewSecret(kSecretPrefix), .token = {}};
  StoredToken token =
      NewToken({.title = "", .role = Role::kAdmin, .expire_time = std::nullopt}, issued.secret);
  token.token.title = absl::StrCat("sign-in by ", token.token.name);
  base::MutexLock lock(change_mutex_);
  RETURN_IF_ERROR(store_.Exchange(base::Sha256Hex(one_time_token), token,
                                  {.actor = kNobody, .time = clock_.Now()}));
  Remember(token);
  issued.token = token.token;
  return issued;
}

absl::Status Tokens::OfferOneTime(absl::string_view one_time_token) {
  if (one_time_token.empty() || one_time_token.size() > kSecretBytesMax) return TokenInvalid();
  return store_.OfferOneTime(base::Sha256Hex(one_time_token), clock_.Now() + kOneTimeTokenLife);
}

absl::Status Tokens::Revoke(const std::string& name, const std::string& actor) {
  {
    base::MutexLock change_lock(change_mutex_);
    ASSIGN_OR_RETURN(const bool worked,
                     store_.Revoke(name, {.actor = actor, .time = clock_.Now()}));
    if (!worked) return absl::OkStatus();
    base::MutexLock lock(mutex_);
    absl::erase_if(by_digest_, [&](const auto& entry) { return entry.second.name == name; });
  }
  if (on_revoked_ != nullptr) on_revoked_(name);
  return absl::OkStatus();
}

StoredToken Tokens::NewToken(const Draft& draft, const std::string& secret) {
  return {.token = {.name = absl::StrCat("tokens/", ids_.NewId("token")),
                    .title = draft.title,
                    .role = draft.role,
                    .create_time = clock_.Now(),
                    .expire_time = draft.expire_time,
                    .revoked = false},
          .secret_digest = base::Sha256Hex(secret)};
}

void Tokens::Remember(const StoredToken& token) {
  base::MutexLock lock(mutex_);
  by_digest_.insert_or_assign(token.secret_digest, token.token);
}

}  // namespace slipway::gateway
