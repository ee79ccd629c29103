#include "services/dispatcher/fleet/docker_engine.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/metrics/metrics.h"
#include "nlohmann/json.hpp"
#include "services/dispatcher/fleet/away_problem.h"

namespace slipway::dispatcher {
namespace {

// Of Docker 20.10; engines up to the newest serve it or say which they serve.
constexpr char kVersion[] = "/v1.41";
constexpr uint64_t kAnswerBytesMax = 32u << 20;  // A list of thousands of containers.
constexpr size_t kEngineTextMax = 500;
constexpr size_t kLogFrameHead = 8;  // Stream, three zeros, four bytes of length.

metrics::Counter calls({.name = "slipway_dispatcher_engine_calls_total",
                        .description = "Calls to Docker engines.",
                        .labels = {"outcome"}});

std::string Escaped(absl::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      escaped.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    escaped.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return escaped;
}

nlohmann::json Parsed(const std::string& text) {
  return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
}

std::string TextIn(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string MessageOf(const http::Client::Response& response) {
  const nlohmann::json body = Parsed(response.body);
  const std::string message = body.is_object() ? TextIn(body, "message") : response.body;
  return base::ToUtf8(absl::StripAsciiWhitespace(message), kEngineTextMax);
}

absl::Status Unreadable() { return absl::InternalError("the engine's answer is not what it says"); }

absl::StatusCode CodeOf(int http_status) {
  switch (http_status) {
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
      return absl::StatusCode::kAlreadyExists;
    case 400:
    case 401:
    case 403:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::StatusOr<std::string> DockerEngine::Call(const std::string& method, const std::string& path,
                                               const std::string& body) {
  http::ClientRequest request{.method = method,
                              .body = body,
                              .connect_timeout = absl::Seconds(5),
                              .first_byte_timeout = options_.timeout,
                              .total_timeout = options_.timeout,
                              .response_bytes_max = kAnswerBytesMax,
                              .ca_file = options_.ca_file,
                              .certificate_file = options_.certificate_file,
                              .key_file = options_.key_file};
  if (absl::StartsWith(options_.address, "unix:")) {
    request.unix_socket = std::string(absl::StripPrefix(options_.address, "unix:"));
    request.url = absl::StrCat("http://engine", kVersion, path);
  } else {
    request.url = absl::StrCat(options_.address, kVersion, path);
  }
  if (method == "POST") request.headers.Set("Content-Type", "application/json");
  http::Client::Response response = client_.Fetch(std::move(request));
  if (!response.result.status.ok()) {
    const bool unsent = response.result.nothing_sent();
    calls.Increment({unsent ? "away" : "no_answer"});
    const std::string message = AwayProblem(response.result);
    if (unsent) return absl::UnavailableError(absl::StrCat("the engine is away: ", message));
    return absl::UnknownError(absl::StrCat("the engine did not answer: ", message));
  }
  if (response.result.http_status < 400) {
    calls.Increment({"done"});
    return std::move(response.body);
  }
  calls.Increment({response.result.http_status < 500 ? "refused" : "failed"});
  return absl::Status(CodeOf(response.result.http_status), MessageOf(response));
}

absl::StatusOr<std::vector<EngineContainer>> DockerEngine::List(
    const std::map<std::string, std::string>& labels) {
  nlohmann::json filters = {{"label", nlohmann::json::array()}};
  for (const auto& [key, value] : labels) filters["label"].push_back(absl::StrCat(key, "=", value));
  ASSIGN_OR_RETURN(
      const std::string answer,
      Call("GET", absl::StrCat("/containers/json?all=1&filters=", Escaped(filters.dump()))));
  const nlohmann::json listed = Parsed(answer);
  if (!listed.is_array()) return Unreadable();
  std::vector<EngineContainer> containers;
  for (const nlohmann::json& one : listed) {
    if (!one.is_object()) return Unreadable();
    const auto names = one.find("Names");
    EngineContainer container{.id = TextIn(one, "Id"), .state = TextIn(one, "State")};
    if (names != one.end() && names->is_array() && !names->empty() && (*names)[0].is_string()) {
      container.name = std::string(absl::StripPrefix((*names)[0].get<std::string>(), "/"));
    }
    if (container.id.empty()) return Unreadable();
    containers.push_back(std::move(container));
  }
  return containers;
}

absl::StatusOr<std::string> DockerEngine::Create(const std::string& name, const std::string& spec) {
  ASSIGN_OR_RETURN(const std::string answer,
                   Call("POST", absl::StrCat("/containers/create?name=", Escaped(name)), spec));
  const nlohmann::json created = Parsed(answer);
  std::string id = created.is_object() ? TextIn(created, "Id") : std::string();
  if (id.empty()) return Unreadable();
  return id;
}

absl::Status DockerEngine::Start(const std::string& id) {
  return Call("POST", absl::StrCat("/containers/", Escaped(id), "/start")).status();
}

absl::Status DockerEngine::Signal(const std::string& id, const std::string& signal) {
  const absl::Status status =
      Call("POST", absl::StrCat("/containers/", Escaped(id), "/kill?signal=", Escaped(signal)))
          .status();
  const bool ended = absl::IsNotFound(status) || absl::IsAlreadyExists(status);
  return ended ? absl::OkStatus() : status;
}

absl::Status DockerEngine::Remove(const std::string& id) {
  const absl::Status status =
      Call("DELETE", absl::StrCat("/containers/", Escaped(id), "?force=1&v=1")).status();
  const bool going = absl::IsNotFound(status) || absl::IsAlreadyExists(status);
  return going ? absl::OkStatus() : status;
}

absl::StatusOr<EngineExit> DockerEngine::Inspect(const std::string& id) {
  ASSIGN_OR_RETURN(const std::string answer,
                   Call("GET", absl::StrCat("/containers/", Escaped(id), "/json")));
  const nlohmann::json container = Parsed(answer);
  if (!container.is_object() || !container.contains("State")) return Unreadable();
  const nlohmann::json& state = container["State"];
  if (!state.is_object()) return Unreadable();
  const auto code = state.find("ExitCode");
  const auto oom = state.find("OOMKilled");
  return EngineExit{.code = code != state.end() && code->is_number_integer() ? code->get<int>() : 0,
                    .out_of_memory = oom != state.end() && oom->is_boolean() && oom->get<bool>(),
                    .error = TextIn(state, "Error")};
}

absl::StatusOr<std::string> DockerEngine::LastLine(const std::string& id) {
  ASSIGN_OR_RETURN(
      const std::string answer,
      Call("GET", absl::StrCat("/containers/", Escaped(id), "/logs?stdout=1&stderr=1&tail=1")));
  if (answer.size() <= kLogFrameHead) return std::string();
  return base::ToUtf8(absl::StripAsciiWhitespace(absl::string_view(answer).substr(kLogFrameHead)),
                      kEngineTextMax);
}

}  // namespace slipway::dispatcher
