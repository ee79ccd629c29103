#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/http/client.h"

namespace slipway::dispatcher {

// The HTTP API of one Kubernetes cluster, as one of its service accounts. Blocks; thread-safe.
// Errors carry the server's words and, as their reason, the server's own ("AlreadyExists",
// "Forbidden"): NOT_FOUND, ALREADY_EXISTS, ABORTED (a conflict), PERMISSION_DENIED,
// UNAUTHENTICATED, INVALID_ARGUMENT, OUT_OF_RANGE (410: the version is too old),
// RESOURCE_EXHAUSTED (429, with the server's Retry-After), INTERNAL. UNAVAILABLE when the request
// was not sent, and UNKNOWN when it was and no answer came: then it may have been done.
class KubernetesApi final {
 public:
  struct Options {
    std::string server;  // "https://host:port"
    std::string ca_file;
    std::string token_file;  // Read again for each call: a cluster replaces it within the hour.
    std::string certificate_file;
    std::string key_file;
    std::string user_agent;
    absl::Duration timeout = absl::Seconds(20);  // Of one call.
  };

  KubernetesApi(http::Client& client, Options options)
      : client_(client), options_(std::move(options)) {}

  // Returns the body of an answer that says it was done. `path` may have a query.
  absl::StatusOr<std::string> Call(const std::string& method, const std::string& path,
                                   const std::string& body = "");

  // The same as a request for a stream, whose answer the caller reads.
  absl::StatusOr<http::ClientRequest> StreamRequest(const std::string& path,
                                                    absl::Duration idle_timeout) const;

  // What an answer beside 2xx means.
  static absl::Status StatusOf(int http_status, const http::Headers& headers,
                               const std::string& body);

  // What no answer means.
  static absl::Status StatusOf(const http::ClientResult& result);

 private:
  absl::StatusOr<http::ClientRequest> RequestOf(const std::string& path) const;

  http::Client& client_;
  const Options options_;
};

// For a query.
std::string EscapedForQuery(absl::string_view text);

}  // namespace slipway::dispatcher
