#pragma once

#include <optional>
#include <string>

#include "lib/http/request.h"

namespace slipway::gateway {

inline constexpr char kSessionCookie[] = "slipway_session";

// The secret that the request carries as a bearer token or in its session cookie, if any.
std::optional<std::string> SecretOf(const http::Request& request);

}  // namespace slipway::gateway
