#include "lib/http/router.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

namespace slipway::http {
namespace {

std::vector<absl::string_view> SplitPath(absl::string_view path) {
  absl::ConsumePrefix(&path, "/");
  return absl::StrSplit(path, '/');
}

bool ServesMethod(absl::string_view registered, absl::string_view method) {
  return registered == "*" || registered == method || (registered == "GET" && method == "HEAD");
}

}  // namespace

void Router::Route(absl::string_view method, absl::string_view pattern, Handler handler) {
  Entry entry = {.method = std::string(method), .handler = std::move(handler)};
  for (absl::string_view part : SplitPath(pattern)) {
    Segment segment;
    const size_t close = part.find('}');
    if (absl::StartsWith(part, "{") && close != absl::string_view::npos) {
      segment.variable = std::string(part.substr(1, close - 1));
      segment.literal = std::string(part.substr(close + 1));
    } else {
      segment.literal = std::string(part);
    }
    entry.rank += segment.variable.empty() ? '0' : segment.literal.empty() ? '2' : '1';
    entry.segments.push_back(std::move(segment));
  }
  Insert(std::move(entry));
}

void Router::Prefix(absl::string_view method, absl::string_view prefix, Handler handler) {
  Entry entry = {.method = std::string(method), .prefix = true, .handler = std::move(handler)};
  absl::ConsumeSuffix(&prefix, "/");
  if (!prefix.empty()) {
    for (absl::string_view part : SplitPath(prefix)) {
      entry.segments.push_back({.literal = std::string(part)});
    }
  }
  // After every route, longer prefixes first.
  entry.rank = absl::StrCat("9", std::string(entry.segments.size(), '0'), "9");
  Insert(std::move(entry));
}

void Router::Insert(Entry entry) {
  const auto place = std::upper_bound(
      entries_.begin(), entries_.end(), entry.rank,
      [](const std::string& rank, const Entry& other) { return rank < other.rank; });
  entries_.insert(place, std::move(entry));
}

bool Router::Matches(const Entry& entry, const std::vector<std::string>& path,
                     std::map<std::string, std::string>& parameters) {
  parameters.clear();
  if (entry.prefix ? path.size() <= entry.segments.size() : path.size() != entry.segments.size()) {
    return false;
  }
  for (size_t i = 0; i < entry.segments.size(); ++i) {
    const auto& [literal, variable] = entry.segments[i];
    if (variable.empty()) {
      if (path[i] != literal) return false;
      continue;
    }
    if (path[i].size() <= literal.size() || !absl::EndsWith(path[i], literal)) return false;
    parameters[variable] = path[i].substr(0, path[i].size() - literal.size());
  }
  return true;
}

void Router::Serve(Request request, std::shared_ptr<ResponseWriter> writer) const {
  std::vector<std::string> path;
  for (absl::string_view segment : SplitPath(request.path)) {
    std::optional<std::string> decoded = PercentDecode(segment);
    if (!decoded.has_value()) {
      return SendError(*writer, 400, "PATH_MALFORMED", "the path has a malformed %-escape");
    }
    path.push_back(*std::move(decoded));
  }
  std::set<std::string> allowed;
  for (const Entry& entry : entries_) {
    if (!Matches(entry, path, request.parameters)) continue;
    if (ServesMethod(entry.method, request.method)) {
      return entry.handler(std::move(request), std::move(writer));
    }
    allowed.insert(entry.method);
  }
  if (allowed.empty()) {
    return SendError(*writer, 404, "PATH_NOT_FOUND",
                     absl::StrCat("nothing is served at ", request.path));
  }
  if (allowed.count("GET") > 0) allowed.insert("HEAD");
  const std::string methods = absl::StrJoin(allowed, ", ");
  SendError(*writer, 405, "METHOD_NOT_ALLOWED",
            absl::StrCat(request.path, " serves ", methods, ", not ", request.method),
            {{"Allow", methods}});
}

std::string ErrorBody(absl::string_view code, absl::string_view message) {
  const nlohmann::json body = {
      {"error", {{"code", std::string(code)}, {"message", std::string(message)}}}};
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void SendError(ResponseWriter& writer, int status, absl::string_view code,
               absl::string_view message, Headers headers) {
  headers.Set("Content-Type", "application/json");
  writer.Send(status, std::move(headers), ErrorBody(code, message));
}

}  // namespace slipway::http
