#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/http/headers.h"
#include "lib/http/request.h"

namespace slipway::gateway {

// Keeps pages of other sites out: of a site whose name was made to point here (by the Host header)
// and of a site that calls from a browser (by the Origin header). Immutable.
class OriginCheck final {
 public:
  // Origins are like "https://board.example"; their hosts are also names of this server.
  explicit OriginCheck(const std::vector<std::string>& allowed_origins);

  // Fails with HOST_FORBIDDEN or ORIGIN_FORBIDDEN.
  absl::Status Check(const http::Request& request) const;

  // What a browser must be told to let an allowed page of another origin see the answer, and what
  // every answer says.
  http::Headers AnswerHeaders(const http::Request& request) const;

 private:
  std::set<std::string> hosts_;
  std::set<std::string> origins_;
};

}  // namespace slipway::gateway
