#include "services/models/domain/attempt_keys.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"
#include "lib/base/status_macros.h"
#include "services/models/domain/call_check.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {

absl::StatusOr<RoleChoice> AttemptKeys::Choose(const Issue& issue) const {
  const std::string named = issue.roles.empty() ? "" : issue.roles.front();
  if (!named.empty() && !IsRole(named)) return RoleUnknown(named);
  if (fixed_roles_ && !named.empty()) {
    return RoleChoice{named, {absl::StrCat("the plan names ", named, ", and roles are fixed")}};
  }
  RoleChoice choice = named.empty() ? ChooseRole(*issue.traits) : RaiseRole(named, *issue.traits);
  while (!routes_.For(choice.role).ok() && choice.role != named) {
    std::string weaker = WeakerBuilder(choice.role);
    if (weaker.empty()) break;
    choice.reasons.push_back(
        absl::StrCat("no route serves ", choice.role, ": ", weaker, " instead"));
    choice.role = std::move(weaker);
  }
  return choice;
}

absl::StatusOr<AttemptKeys::Issued> AttemptKeys::IssueKey(const Issue& issue,
                                                          Durability durability) {
  AttemptKey key = {.epoch = issue.epoch,
                    .generation = issue.generation,
                    .roles = issue.roles,
                    .expire_time = clock_.Now() + issue.lifetime,
                    .limit_usd_nanos = issue.limit_usd_nanos};
  RETURN_IF_ERROR(ScopesOfAttempt(issue.scopes.attempt, key.scopes));
  Scopes given = issue.scopes;
  given.role.clear();
  if (given.project.empty()) given.project = key.scopes.project;
  if (given.plan.empty()) given.plan = key.scopes.plan;
  if (given.task.empty()) given.task = key.scopes.task;
  if (!(given == key.scopes)) return ScopeInvalid("scopes do not belong to one attempt");
  if (issue.roles.size() > kKeyRolesMax) {
    return ScopeInvalid(absl::StrCat("more than ", kKeyRolesMax, " roles"));
  }
  RoleChoice choice;
  if (issue.traits.has_value()) {
    ASSIGN_OR_RETURN(choice, Choose(issue));
    if (key.roles.empty()) key.roles.emplace_back();
    key.roles.front() = choice.role;
  }
  if (key.roles.empty()) return RoleUnknown("");
  for (const std::string& role : key.roles) RETURN_IF_ERROR(routes_.For(role).status());
  if (issue.lifetime <= absl::ZeroDuration() || issue.lifetime > kKeyLifetimeMax) {
    return LifetimeInvalid();
  }
  if (issue.limit_usd_nanos < 0) return LimitInvalid();
  const std::string secret = ids_.NewSecret(kAttemptKeyPrefix);
  key.hash = base::Sha256Hex(secret);
  std::optional<RoleDecision> decision;
  if (issue.traits.has_value()) {
    decision = {.scopes = key.scopes,
                .time = clock_.Now(),
                .named_role = issue.roles.empty() ? "" : issue.roles.front(),
                .traits = *issue.traits,
                .reasons = choice.reasons};
    decision->scopes.role = choice.role;
  }
  const int64_t drops_before = drops();
  ASSIGN_OR_RETURN(const std::string replaced, store_.PutKey(key, decision, durability));
  if (!replaced.empty()) {
    Drop({replaced});
    running_.CancelKeys({replaced}, "KEY_REPLACED");
  }
  Know(key, issue.lifetime, drops_before + (replaced.empty() ? 0 : 1));
  return Issued{secret, key.expire_time, key.roles.front(), std::move(choice.reasons)};
}

absl::StatusOr<int> AttemptKeys::Revoke(const std::string& attempt, Durability durability) {
  Scopes scopes;
  RETURN_IF_ERROR(ScopesOfAttempt(attempt, scopes));
  ASSIGN_OR_RETURN(const std::vector<std::string> hashes, store_.RemoveKeys(attempt, durability));
  Drop(hashes);
  running_.CancelKeys(hashes, "KEY_REVOKED");
  return static_cast<int>(hashes.size());
}

std::optional<AttemptKey> AttemptKeys::FindKnown(absl::string_view secret) {
  if (!absl::StartsWith(secret, kAttemptKeyPrefix)) return std::nullopt;
  const std::string hash = base::Sha256Hex(secret);
  base::MutexLock lock(mutex_);
  const auto known = known_.find(hash);
  if (known == known_.end() || known->second.end <= clock_.Elapsed()) return std::nullopt;
  return known->second.key;
}

absl::StatusOr<AttemptKey> AttemptKeys::Authenticate(absl::string_view secret) {
  if (!absl::StartsWith(secret, kAttemptKeyPrefix)) return KeyInvalid();
  const std::string hash = base::Sha256Hex(secret);
  int64_t drops_before = 0;
  {
    base::MutexLock lock(mutex_);
    const auto known = known_.find(hash);
    if (known != known_.end()) {
      if (known->second.end <= clock_.Elapsed()) return KeyInvalid();
      return known->second.key;
    }
    drops_before = drops_;
  }
  ASSIGN_OR_RETURN(std::optional<AttemptKey> key, store_.FindKey(hash));
  if (!key.has_value()) return KeyInvalid();
  const absl::Duration left = std::min(key->expire_time - clock_.Now(), kKeyLifetimeMax);
  if (left <= absl::ZeroDuration()) return KeyInvalid();
  Know(*key, left, drops_before);
  return *std::move(key);
}

// It may have ended since it was read or written, which a number of drops says that is not `drops`.
void AttemptKeys::Know(const AttemptKey& key, absl::Duration lifetime, int64_t drops) {
  base::MutexLock lock(mutex_);
  if (drops != drops_) return;
  if (known_.size() >= kKeysKnownMax) known_.clear();
  known_[key.hash] = {.key = key, .end = clock_.Elapsed() + lifetime};
}

int64_t AttemptKeys::drops() {
  base::MutexLock lock(mutex_);
  return drops_;
}

void AttemptKeys::Drop(const std::vector<std::string>& hashes) {
  base::MutexLock lock(mutex_);
  ++drops_;
  for (const std::string& hash : hashes) known_.erase(hash);
}

}  // namespace slipway::models
