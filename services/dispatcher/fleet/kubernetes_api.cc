#include "services/dispatcher/fleet/kubernetes_api.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/metrics/metrics.h"
#include "nlohmann/json.hpp"
#include "services/dispatcher/fleet/away_problem.h"

namespace slipway::dispatcher {
namespace {

constexpr uint64_t kListBytesMax = 32u << 20;  // A page of 500 pods is a few MiB.
constexpr uint64_t kStreamBytesMax = uint64_t{1} << 40;
constexpr size_t kTokenBytesMax = 16 << 10;
constexpr size_t kServerTextMax = 500;
constexpr int kRetryAfterMaxSeconds = 600;
constexpr absl::Duration kRetryAfterDefault = absl::Seconds(1);

metrics::Counter kubernetes_calls({.name = "slipway_dispatcher_kubernetes_calls_total",
                                   .description = "Calls to Kubernetes clusters, by HTTP status.",
                                   .labels = {"method", "outcome"}});

absl::StatusCode CodeOfStatus(int http_status, const std::string& reason) {
  switch (http_status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
      return reason == "AlreadyExists" ? absl::StatusCode::kAlreadyExists
                                       : absl::StatusCode::kAborted;
    case 410:
      return absl::StatusCode::kOutOfRange;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    default:
      return http_status < 500 ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kInternal;
  }
}

std::string StringIn(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::string EscapedForQuery(absl::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '_' || c == '.') {
      escaped.push_back(c);
    } else {
      escaped.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return escaped;
}

absl::Status KubernetesApi::StatusOf(int http_status, const http::Headers& headers,
                                     const std::string& body) {
  const nlohmann::json answer = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  std::string reason = answer.is_object() ? StringIn(answer, "reason") : std::string();
  std::string message = answer.is_object() ? StringIn(answer, "message") : body;
  message = base::ToUtf8(absl::StripAsciiWhitespace(message), kServerTextMax);
  if (message.empty()) message = absl::StrCat("the cluster answered with status ", http_status);
  if (reason.empty()) reason = absl::StrCat("HTTP_", http_status);
  const absl::StatusCode code = CodeOfStatus(http_status, reason);
  int seconds = 0;
  if (absl::SimpleAtoi(headers.Get("Retry-After"), &seconds) && seconds >= 0) {
    return base::RetryableError(code, reason, message,
                                absl::Seconds(std::min(seconds, kRetryAfterMaxSeconds)));
  }
  if (http_status == 429) return base::RetryableError(code, reason, message, kRetryAfterDefault);
  return base::Error(code, reason, message);
}

absl::Status KubernetesApi::StatusOf(const http::ClientResult& result) {
  const std::string problem = AwayProblem(result);
  if (result.nothing_sent()) {
    return absl::UnavailableError(absl::StrCat("the cluster is away: ", problem));
  }
  return absl::UnknownError(absl::StrCat("the cluster did not answer: ", problem));
}

absl::StatusOr<http::ClientRequest> KubernetesApi::RequestOf(const std::string& path) const {
  http::ClientRequest request{.url = absl::StrCat(options_.server, path),
                              .connect_timeout = absl::Seconds(5),
                              .first_byte_timeout = options_.timeout,
                              .ca_file = options_.ca_file,
                              .certificate_file = options_.certificate_file,
                              .key_file = options_.key_file};
  request.headers.Set("Accept", "application/json");
  request.headers.Set("User-Agent", options_.user_agent);
  if (options_.token_file.empty()) return request;
  const absl::StatusOr<std::string> token = base::ReadFile(options_.token_file, kTokenBytesMax);
  if (!token.ok()) {
    return absl::UnavailableError(
        absl::StrCat("the token of the service account: ", token.status().message()));
  }
  request.headers.Set("Authorization", absl::StrCat("Bearer ", absl::StripAsciiWhitespace(*token)));
  return request;
}

absl::StatusOr<http::ClientRequest> KubernetesApi::StreamRequest(
    const std::string& path, absl::Duration idle_timeout) const {
  ASSIGN_OR_RETURN(http::ClientRequest request, RequestOf(path));
  request.idle_timeout = idle_timeout;
  request.response_bytes_max = kStreamBytesMax;
  return request;
}

absl::StatusOr<std::string> KubernetesApi::Call(const std::string& method, const std::string& path,
                                                const std::string& body) {
  ASSIGN_OR_RETURN(http::ClientRequest request, RequestOf(path));
  request.method = method;
  request.body = body;
  request.total_timeout = options_.timeout;
  request.response_bytes_max = kListBytesMax;
  if (!body.empty()) request.headers.Set("Content-Type", "application/json");
  http::Client::Response response = client_.Fetch(std::move(request));
  if (!response.result.status.ok()) {
    kubernetes_calls.Increment({method, response.result.nothing_sent() ? "away" : "no_answer"});
    return StatusOf(response.result);
  }
  const int status = response.result.http_status;
  kubernetes_calls.Increment({method, status < 400 ? "done" : status < 500 ? "refused" : "failed"});
  if (status >= 200 && status < 300) return std::move(response.body);
  return StatusOf(status, response.headers, response.body);
}

}  // namespace slipway::dispatcher
