#include "services/reviewer/domain/critic_reply.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/reply_object.h"

namespace slipway::reviewer {
namespace {

using Json = nlohmann::json;

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
  ASSIGN_OR_RETURN(const Json json, ParseReplyObject(reply, {"verdict", "summary", "gaps"}));
  Verdict verdict;
  ASSIGN_OR_RETURN(verdict.kind, KindFrom(json));
  ASSIGN_OR_RETURN(verdict.summary, TextOf(json, "summary", kSummaryBytesMax));
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
