#include "lib/policy/rule_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace slipway::policy {

const Rule* FindRule(absl::string_view code) {
  const std::vector<Rule>& rules = Rules();
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const Rule& candidate) { return candidate.code == code; });
  return rule == rules.end() ? nullptr : &*rule;
}

Floor FloorOf(absl::string_view code) {
  const Rule* const rule = FindRule(code);
  return rule == nullptr ? Floor::kRefuse : rule->floor;
}

Verdict VerdictOf(const std::vector<Finding>& findings) {
  if (findings.empty()) return Verdict::kAccept;
  return HumanMayAccept(findings) ? Verdict::kQuarantine : Verdict::kReject;
}

absl::string_view NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAccept:
      return "accept";
    case Verdict::kQuarantine:
      return "quarantine";
    case Verdict::kReject:
      return "reject";
  }
  return "";
}

absl::string_view StrictOutcome(const Rule& rule) {
  return rule.floor == Floor::kQuarantine ? "quarantine" : "reject";
}

absl::string_view TolerantOutcome(const Rule& rule) {
  return rule.tolerant ? "normalise" : StrictOutcome(rule);
}

absl::string_view SettingOf(const Rule& rule) {
  return rule.setting.empty() && rule.content ? "paths.trusted_content" : rule.setting;
}

absl::string_view NameOf(Stage stage) {
  switch (stage) {
    case Stage::kRead:
      return "read";
    case Stage::kPath:
      return "path";
    case Stage::kApply:
      return "apply";
    case Stage::kPolicy:
      return "policy";
    case Stage::kContent:
      return "content";
  }
  return "";
}

bool HumanMayAccept(const std::vector<Finding>& findings) {
  return !findings.empty() &&
         std::all_of(findings.begin(), findings.end(), [](const Finding& finding) {
           return FloorOf(finding.code) == Floor::kQuarantine;
         });
}

std::string RulesAsMarkdown() {
  std::string table =
      "| Code | Found when | Strict | Tolerant | Setting | Meaning | Why |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const Rule& rule : Rules()) {
    absl::StrAppend(&table, "| ", rule.code, " | ", NameOf(rule.stage), " | ", StrictOutcome(rule),
                    " | ", TolerantOutcome(rule), " | ", SettingOf(rule), " | ", rule.meaning,
                    " | ", rule.why, " |\n");
  }
  return table;
}

}  // namespace slipway::policy
