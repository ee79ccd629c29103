#include "services/gateway/http/origin_check.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/gateway/domain/errors.h"

namespace slipway::gateway {
namespace {

// "board.example" of "board.example:8080", "[::1]" of "[::1]:8080".
absl::string_view WithoutPort(absl::string_view authority) {
  const size_t bracket = authority.find(']');
  const size_t colon = authority.find(':', bracket == absl::string_view::npos ? 0 : bracket);
  return authority.substr(0, colon);
}

// What follows "://"; empty when there is none.
absl::string_view AuthorityOf(absl::string_view origin) {
  const size_t start = origin.find("://");
  return start == absl::string_view::npos ? "" : origin.substr(start + 3);
}

}  // namespace

OriginCheck::OriginCheck(const std::vector<std::string>& allowed_origins)
    : hosts_({"localhost", "127.0.0.1", "[::1]"}) {
  for (const std::string& origin : allowed_origins) {
    origins_.insert(absl::AsciiStrToLower(origin));
    hosts_.insert(absl::AsciiStrToLower(WithoutPort(AuthorityOf(origin))));
  }
}

absl::Status OriginCheck::Check(const http::Request& request) const {
  const std::string host = absl::AsciiStrToLower(request.headers.Get("Host"));
  if (!hosts_.contains(std::string(WithoutPort(host)))) return HostForbidden(host.substr(0, 200));
  if (!request.headers.Has("Origin")) return absl::OkStatus();
  const std::string origin = absl::AsciiStrToLower(request.headers.Get("Origin"));
  if (origins_.contains(origin) || origin == absl::StrCat("http://", host)) {
    return absl::OkStatus();
  }
  return OriginForbidden(origin.substr(0, 200));
}

http::Headers OriginCheck::AnswerHeaders(const http::Request& request) const {
  http::Headers headers{{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}};
  const absl::string_view origin = request.headers.Get("Origin");
  if (!origins_.contains(absl::AsciiStrToLower(origin))) return headers;
  headers.Add("Access-Control-Allow-Origin", origin);
  headers.Add("Access-Control-Allow-Methods", "GET, POST");
  headers.Add("Access-Control-Allow-Headers",
              "Authorization, Content-Type, Connect-Protocol-Version, Connect-Timeout-Ms, "
              "Last-Event-ID");
  headers.Add("Vary", "Origin");
  return headers;
}

}  // namespace slipway::gateway
