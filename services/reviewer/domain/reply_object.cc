#include "services/reviewer/domain/reply_object.h"

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

using Json = nlohmann::json;

absl::string_view WithoutFence(absl::string_view reply) {
  reply = absl::StripAsciiWhitespace(reply);
  if (!absl::ConsumePrefix(&reply, "```")) return reply;
  absl::ConsumePrefix(&reply, "json");
  absl::ConsumeSuffix(&reply, "```");
  return absl::StripAsciiWhitespace(reply);
}

}  // namespace

absl::Status Unreadable(absl::string_view problem) { return absl::InvalidArgumentError(problem); }

absl::StatusOr<Json> ParseReplyObject(absl::string_view reply,
                                      const std::set<std::string>& members) {
  if (reply.size() > kCriticReplyBytesMax) return Unreadable("it is too long");
  const absl::string_view text = WithoutFence(reply);
  // A key that occurs twice means two things to two readers.
  std::set<std::string> keys;
  bool repeated = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth == 1 && event == Json::parse_event_t::key) {
      repeated = repeated || !keys.insert(parsed.get<std::string>()).second;
    }
    return true;
  };
  Json json = Json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Unreadable("it is not JSON");
  if (!json.is_object()) return Unreadable("it is not a JSON object");
  if (repeated) return Unreadable("a member occurs twice");
  for (const std::string& key : keys) {
    if (members.count(key) == 0) {
      return Unreadable(absl::StrCat("it has another member, \"", base::ToUtf8(key, 40), "\""));
    }
  }
  return json;
}

absl::StatusOr<std::string> TextOf(const Json& object, const std::string& member,
                                   size_t bytes_max) {
  if (!object.contains(member) || !object[member].is_string()) {
    return Unreadable(absl::StrCat("\"", member, "\" is missing"));
  }
  return base::ToUtf8(object[member].get<std::string>(), bytes_max);
}

}  // namespace slipway::reviewer
