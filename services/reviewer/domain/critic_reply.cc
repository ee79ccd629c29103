#include "services/reviewer/domain/critic_reply.h"

#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

using Json = nlohmann::json;

absl::Status Unreadable(absl::string_view problem) { return absl::InvalidArgumentError(problem); }

absl::string_view WithoutFence(absl::string_view reply) {
  reply = absl::StripAsciiWhitespace(reply);
  if (!absl::ConsumePrefix(&reply, "```")) return reply;
  absl::ConsumePrefix(&reply, "json");
  absl::ConsumeSuffix(&reply, "```");
  return absl::StripAsciiWhitespace(reply);
}

// A key that occurs twice means two things to two readers.
absl::StatusOr<Json> ParseObject(absl::string_view text) {
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
  return json;
}

absl::StatusOr<VerdictKind> KindFrom(const Json& json) {
  if (!json.contains("verdict") || !json["verdict"].is_string()) {
    return Unreadable("\"verdict\" is missing");
  }
  const std::string& name = json["verdict"].get_ref<const std::string&>();
  for (const VerdictKind kind :
       {VerdictKind::kPassed, VerdictKind::kGapsFound, VerdictKind::kHumanNeeded}) {
    if (name == NameOf(kind)) return kind;
  }
  return Unreadable("\"verdict\" is none of PASSED, GAPS_FOUND, HUMAN_NEEDED");
}

}  // namespace

absl::StatusOr<Verdict> ParseCriticReply(absl::string_view reply) {
  if (reply.size() > kCriticReplyBytesMax) return Unreadable("it is too long");
  ASSIGN_OR_RETURN(const Json json, ParseObject(WithoutFence(reply)));
  for (const auto& [key, unused] : json.items()) {
    if (key != "verdict" && key != "summary" && key != "gaps") {
      return Unreadable(absl::StrCat("it has another member, \"", base::ToUtf8(key, 40), "\""));
    }
  }
  Verdict verdict;
  ASSIGN_OR_RETURN(verdict.kind, KindFrom(json));
  if (!json.contains("summary") || !json["summary"].is_string()) {
    return Unreadable("\"summary\" is missing");
  }
  verdict.summary = base::ToUtf8(json["summary"].get<std::string>(), kSummaryBytesMax);
  const Json gaps = json.contains("gaps") ? json["gaps"] : Json::array();
  if (!gaps.is_array()) return Unreadable("\"gaps\" is not a list");
  if (gaps.size() > kGapsMax) {
    return Unreadable(absl::StrCat("there are more than ", kGapsMax, " gaps"));
  }
  for (const Json& gap : gaps) {
    if (!gap.is_string() || gap.get_ref<const std::string&>().empty()) {
      return Unreadable("a gap is not a text");
    }
    verdict.gaps.push_back(base::ToUtf8(gap.get<std::string>(), kGapBytesMax));
  }
  if (verdict.kind == VerdictKind::kGapsFound && verdict.gaps.empty()) {
    return Unreadable("GAPS_FOUND needs at least one gap");
  }
  if (verdict.kind == VerdictKind::kPassed && !verdict.gaps.empty()) {
    return Unreadable("PASSED has no gaps");
  }
  return verdict;
}

}  // namespace slipway::reviewer
