#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "lib/http/headers.h"

namespace slipway::http {

// Who sent a request. The ids are those of the process at the other end of a unix socket, as the
// kernel knows them; that process may have ended meanwhile.
struct Peer {
  std::string address;  // "127.0.0.1:4242", "[::1]:4242" or "unix".
  std::optional<int> process_id;
  std::optional<int> user_id;
  std::optional<int> group_id;
};

// One request, complete with its body.
struct Request {
  std::string method;
  std::string target;                             // As sent: path and query, percent-encoded.
  std::string path;                               // The path of `target`, still percent-encoded.
  std::string query;                              // What follows '?', still percent-encoded.
  std::map<std::string, std::string> parameters;  // Decoded values of the route's {names}.
  Headers headers;
  std::string body;
  Peer peer;

  // The decoded value of the first query parameter `name`; absent when there is none.
  std::optional<std::string> QueryParameter(absl::string_view name) const;
};

// `text` with %XX replaced; absent when an escape is malformed or stands for NUL.
std::optional<std::string> PercentDecode(absl::string_view text);

}  // namespace slipway::http
