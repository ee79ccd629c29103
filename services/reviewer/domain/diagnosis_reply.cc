#include "services/reviewer/domain/diagnosis_reply.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/reply_object.h"

namespace slipway::reviewer {
namespace {

constexpr std::pair<const char*, Advice> kAdvice[] = {{"RETRY", Advice::kRetry},
                                                      {"EDIT", Advice::kEdit},
                                                      {"SKIP", Advice::kSkip},
                                                      {"FAIL", Advice::kFail}};

absl::StatusOr<Advice> AdviceFrom(const std::string& name) {
  for (const auto& [known, advice] : kAdvice) {
    if (name == known) return advice;
  }
  return Unreadable("\"advice\" is none of RETRY, EDIT, SKIP, FAIL");
}

}  // namespace

absl::StatusOr<Diagnosis> ParseDiagnosisReply(absl::string_view reply) {
  ASSIGN_OR_RETURN(const nlohmann::json json,
                   ParseReplyObject(reply, {"cause", "findings", "guidance", "advice"}));
  Diagnosis diagnosis;
  ASSIGN_OR_RETURN(diagnosis.cause, TextOf(json, "cause", kSummaryBytesMax));
  if (diagnosis.cause.empty()) return Unreadable("\"cause\" is empty");
  ASSIGN_OR_RETURN(diagnosis.guidance, TextOf(json, "guidance", kDiagnosisGuidanceBytesMax));
  ASSIGN_OR_RETURN(const std::string advice, TextOf(json, "advice", kSummaryBytesMax));
  ASSIGN_OR_RETURN(diagnosis.advice, AdviceFrom(advice));
  const bool guides = diagnosis.advice == Advice::kRetry || diagnosis.advice == Advice::kEdit;
  if (guides && diagnosis.guidance.empty()) {
    return Unreadable(absl::StrCat(advice, " needs a guidance"));
  }
  if (!json.contains("findings") || !json["findings"].is_array()) {
    return Unreadable("\"findings\" is not a list");
  }
  if (json["findings"].size() > kFindingsMax) {
    return Unreadable(absl::StrCat("there are more than ", kFindingsMax, " findings"));
  }
  for (const nlohmann::json& finding : json["findings"]) {
    if (!finding.is_string()) return Unreadable("a finding is not a text");
    diagnosis.findings.push_back(base::ToUtf8(finding.get<std::string>(), kGapBytesMax));
  }
  return diagnosis;
}

}  // namespace slipway::reviewer
