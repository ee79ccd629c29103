#pragma once

#include <memory>

#include "lib/base/executor.h"
#include "lib/http/headers.h"
#include "lib/http/request.h"
#include "lib/http/response_writer.h"
#include "services/gateway/domain/tickets.h"
#include "services/gateway/domain/tokens.h"

namespace slipway::gateway {

// POST /v1/login {"one_time_token":".."}: {"secret":"..","token":"tokens/..","role":"ADMIN"} and a
// session cookie. Runs on `executor`, as it writes to disk.
void ServeLogin(Tokens& tokens, base::Executor& executor, const http::Request& request,
                std::shared_ptr<http::ResponseWriter> writer, http::Headers headers);

// POST /v1/logout: forgets the session cookie. The token goes on; revoking it is another matter.
void ServeLogout(http::ResponseWriter& writer, http::Headers headers);

// POST /v1/tickets: {"ticket":"..","expires_in_seconds":60} for a caller with a token.
void ServeTicket(const Tokens& tokens, Tickets& tickets, const http::Request& request,
                 http::ResponseWriter& writer, http::Headers headers);

}  // namespace slipway::gateway
