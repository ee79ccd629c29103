#pragma once

#include <string>

#include "absl/status/status.h"
#include "services/models/domain/call.h"

namespace slipway::models {

// Whether `spec` can be made at all. Fails with CallIdInvalid, PromptInvalid, ScopeInvalid or
// LimitInvalid.
absl::Status CheckCall(const CallSpec& spec);

// Whether `scope` names a project, a plan or a task. Fails with ScopeInvalid.
absl::Status CheckScopeOfWork(const std::string& scope);

// Whether the names in `scopes` are well-formed and each lies below the one before. The project
// must be set. Fails with ScopeInvalid.
absl::Status CheckScopes(const Scopes& scopes);

// The scopes of an attempt, from its name. Fails with ScopeInvalid.
absl::Status ScopesOfAttempt(const std::string& attempt, Scopes& scopes);

// Equal for equal requests, whatever their call id.
std::string Fingerprint(const CallSpec& spec);

}  // namespace slipway::models
