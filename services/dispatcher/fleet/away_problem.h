#pragma once

#include <string>

#include "lib/http/client.h"

namespace slipway::dispatcher {

// Why an exchange with a host's API gave no answer: a reason that stays the same, then the words of
// whoever noticed. CERTIFICATE_EXPIRED, CERTIFICATE_UNTRUSTED (the authority is not the configured
// one), CERTIFICATE_NAME_WRONG, CLIENT_CERTIFICATE_REFUSED (missing, expired or of another
// authority), else the reason of lib/http.
std::string AwayProblem(const http::ClientResult& result);

}  // namespace slipway::dispatcher
