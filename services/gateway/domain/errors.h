#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/gateway/domain/role.h"

// Every error that the gateway itself returns.
namespace slipway::gateway {

// UNAUTHENTICATED (TOKEN_MISSING): the method needs a token.
absl::Status TokenMissing();

// UNAUTHENTICATED (TOKEN_INVALID): unknown, used, revoked or expired; which one is not told.
absl::Status TokenInvalid();

// PERMISSION_DENIED (ROLE_REQUIRED).
absl::Status RoleRequired(absl::string_view method, Role required, Role held);

// PERMISSION_DENIED (METHOD_INTERNAL): only services may call it.
absl::Status MethodInternal(absl::string_view method);

// UNIMPLEMENTED (METHOD_UNKNOWN).
absl::Status MethodUnknown(absl::string_view method);

// UNIMPLEMENTED (METHOD_STREAMS): JSON over HTTP carries unary methods only.
absl::Status MethodStreams(absl::string_view method);

// UNAVAILABLE (BACKEND_UNAVAILABLE), retryable: the service that owns the method does not answer.
absl::Status BackendUnavailable(absl::string_view service);

// RESOURCE_EXHAUSTED (CALLS_TOO_MANY), retryable.
absl::Status CallsTooMany(int calls_max);

// INVALID_ARGUMENT (ROLE_INVALID): a token cannot have that role.
absl::Status RoleInvalid();

// INVALID_ARGUMENT (TITLE_INVALID).
absl::Status TitleInvalid(size_t characters_max);

// INVALID_ARGUMENT (EXPIRY_INVALID): the time of expiry has passed.
absl::Status ExpiryInvalid();

// ALREADY_EXISTS (TOKEN_EXISTS): a working token has the title.
absl::Status TokenExists(absl::string_view title);

// RESOURCE_EXHAUSTED (TOKENS_TOO_MANY).
absl::Status TokensTooMany(int64_t tokens_max);

// NOT_FOUND (TOKEN_UNKNOWN).
absl::Status TokenUnknown(absl::string_view name);

// INVALID_ARGUMENT (PAGE_INVALID).
absl::Status PageInvalid(absl::string_view problem);

// PERMISSION_DENIED (HOST_FORBIDDEN): the request names a host that this gateway is not.
absl::Status HostForbidden(absl::string_view host);

// PERMISSION_DENIED (ORIGIN_FORBIDDEN): a page of another origin asks.
absl::Status OriginForbidden(absl::string_view origin);

// INVALID_ARGUMENT (BODY_INVALID): not the JSON of the request.
absl::Status BodyInvalid(absl::string_view problem);

// INVALID_ARGUMENT (CONFIG_INVALID).
absl::Status ConfigInvalid(absl::string_view field, absl::string_view problem);

}  // namespace slipway::gateway
