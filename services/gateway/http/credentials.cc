#include "services/gateway/http/credentials.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace slipway::gateway {

std::optional<std::string> SecretOf(const http::Request& request) {
  absl::string_view authorization = request.headers.Get("Authorization");
  if (absl::StartsWithIgnoreCase(authorization, "bearer ")) {
    authorization.remove_prefix(sizeof("bearer ") - 1);
    return std::string(absl::StripAsciiWhitespace(authorization));
  }
  for (const absl::string_view cookie : absl::StrSplit(request.headers.Get("Cookie"), ';')) {
    const std::pair<absl::string_view, absl::string_view> entry =
        absl::StrSplit(absl::StripAsciiWhitespace(cookie), absl::MaxSplits('=', 1));
    if (entry.first == kSessionCookie) return std::string(entry.second);
  }
  return std::nullopt;
}

}  // namespace slipway::gateway
