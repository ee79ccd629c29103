#include "services/gateway/domain/errors.h"

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::gateway {

absl::Status TokenMissing() {
  return base::Error(absl::StatusCode::kUnauthenticated, "TOKEN_MISSING",
                     "this needs a token: send it as 'authorization: Bearer <token>'");
}

absl::Status TokenInvalid() {
  return base::Error(absl::StatusCode::kUnauthenticated, "TOKEN_INVALID",
                     "the token is unknown, used, revoked or expired: sign in again or ask an "
                     "administrator for a new one");
}

absl::Status RoleRequired(absl::string_view method, Role required, Role held) {
  return base::Error(
      absl::StatusCode::kPermissionDenied, "ROLE_REQUIRED",
      absl::StrCat(method, " needs the role ", RoleName(required), " and the token has ",
                   RoleName(held), ": ask an administrator for a token with that role"),
      {{"method", std::string(method)},
       {"required_role", std::string(RoleName(required))},
       {"role", std::string(RoleName(held))}});
}

absl::Status MethodInternal(absl::string_view method) {
  return base::Error(absl::StatusCode::kPermissionDenied, "METHOD_INTERNAL",
                     absl::StrCat(method, " is for services of the suite only"),
                     {{"method", std::string(method)}});
}

absl::Status MethodUnknown(absl::string_view method) {
  return base::Error(
      absl::StatusCode::kUnimplemented, "METHOD_UNKNOWN",
      absl::StrCat("there is no method '", method, "': reflection lists those that there are"),
      {{"method", std::string(method)}});
}

absl::Status MethodStreams(absl::string_view method) {
  return base::Error(absl::StatusCode::kUnimplemented, "METHOD_STREAMS",
                     absl::StrCat(method,
                                  " streams: call it by gRPC; for events there is "
                                  "GET /v1/events"),
                     {{"method", std::string(method)}});
}

absl::Status BackendUnavailable(absl::string_view service) {
  return base::RetryableError(
      absl::StatusCode::kUnavailable, "BACKEND_UNAVAILABLE",
      absl::StrCat("the ", service,
                   " service does not answer: try again, and look at its log if "
                   "that does not help"),
      absl::Seconds(1), {{"service", std::string(service)}});
}

absl::Status CallsTooMany(int calls_max) {
  return base::RetryableError(absl::StatusCode::kResourceExhausted, "CALLS_TOO_MANY",
                              absl::StrCat(calls_max, " calls are under way: try again later"),
                              absl::Seconds(1), {{"calls_max", absl::StrCat(calls_max)}});
}

absl::Status RoleInvalid() {
  return base::Error(absl::StatusCode::kInvalidArgument, "ROLE_INVALID",
                     "the role of a token is VIEWER, OPERATOR, REVIEWER or ADMIN");
}

absl::Status TitleInvalid(size_t characters_max) {
  return base::Error(
      absl::StatusCode::kInvalidArgument, "TITLE_INVALID",
      absl::StrCat("the title of a token is one line of 1 to ", characters_max, " characters"),
      {{"characters_max", absl::StrCat(characters_max)}});
}

absl::Status ExpiryInvalid() {
  return base::Error(absl::StatusCode::kInvalidArgument, "EXPIRY_INVALID",
                     "expire_time has passed: name a time to come, or none");
}

absl::Status TokenExists(absl::string_view title) {
  return base::Error(absl::StatusCode::kAlreadyExists, "TOKEN_EXISTS",
                     absl::StrCat("a token with the title '", title,
                                  "' works already: choose another title or revoke that one"),
                     {{"title", std::string(title)}});
}

absl::Status TokensTooMany(int64_t tokens_max) {
  return base::Error(absl::StatusCode::kResourceExhausted, "TOKENS_TOO_MANY",
                     absl::StrCat("there are ", tokens_max, " tokens: revoke some first"),
                     {{"tokens_max", absl::StrCat(tokens_max)}});
}

absl::Status TokenUnknown(absl::string_view name) {
  return base::Error(absl::StatusCode::kNotFound, "TOKEN_UNKNOWN",
                     absl::StrCat("there is no token '", name, "'"), {{"name", std::string(name)}});
}

absl::Status PageInvalid(absl::string_view problem) {
  return base::Error(absl::StatusCode::kInvalidArgument, "PAGE_INVALID", problem);
}

absl::Status HostForbidden(absl::string_view host) {
  return base::Error(absl::StatusCode::kPermissionDenied, "HOST_FORBIDDEN",
                     absl::StrCat("this server is not '", host,
                                  "': use localhost, or add the origin to allowed_origins"),
                     {{"host", std::string(host)}});
}

absl::Status OriginForbidden(absl::string_view origin) {
  return base::Error(
      absl::StatusCode::kPermissionDenied, "ORIGIN_FORBIDDEN",
      absl::StrCat("pages of '", origin, "' may not call: add the origin to allowed_origins"),
      {{"origin", std::string(origin)}});
}

absl::Status BodyInvalid(absl::string_view problem) {
  return base::Error(absl::StatusCode::kInvalidArgument, "BODY_INVALID",
                     absl::StrCat("the body is not the JSON of the request: ", problem),
                     {{"problem", std::string(problem)}});
}

absl::Status ConfigInvalid(absl::string_view field, absl::string_view problem) {
  return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                     absl::StrCat(field, " ", problem), {{"field", std::string(field)}});
}

}  // namespace slipway::gateway
