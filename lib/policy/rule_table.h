#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "lib/policy/finding.h"

namespace slipway::policy {

// What follows from a finding.
enum class Floor {
  kRefuse,      // Nobody lets it through.
  kQuarantine,  // A person may.
};

// Where a finding comes from. The first three end an inspection; the others are collected.
enum class Stage { kRead, kPath, kApply, kPolicy, kContent };

// One rule.
struct Rule {
  absl::string_view code;
  Floor floor = Floor::kRefuse;
  Stage stage = Stage::kPolicy;
  // Whether the tolerant mode repairs it where the meaning is certain: the patch is rendered anew
  // and the strict rules judge the result.
  bool tolerant = false;
  // The setting of the project's policy that turns it off or moves its limit; empty: none does.
  absl::string_view setting = "";
  // Judges content: off for trusted content.
  bool content = false;
  // Each a clause without a full stop.
  absl::string_view meaning;
  absl::string_view why;
  absl::string_view remedy;
};

// Every code that a finding can have, by code.
const std::vector<Rule>& Rules();

// The rule of `code`; null when there is none.
const Rule* FindRule(absl::string_view code);

// Codes without a rule refuse.
Floor FloorOf(absl::string_view code);

// What becomes of a patch: the worst of its findings.
enum class Verdict { kAccept, kQuarantine, kReject };
Verdict VerdictOf(const std::vector<Finding>& findings);

// "accept", "quarantine" or "reject".
absl::string_view NameOf(Verdict verdict);

// What the strict and the tolerant mode make of it: "reject", "normalise", "quarantine".
absl::string_view StrictOutcome(const Rule& rule);
absl::string_view TolerantOutcome(const Rule& rule);

// The setting that turns the rule off or moves its limit; empty: none does.
absl::string_view SettingOf(const Rule& rule);

// "read", "path", "apply", "policy" or "content".
absl::string_view NameOf(Stage stage);

// True when every finding is one that a person may let through, and there is one.
bool HumanMayAccept(const std::vector<Finding>& findings);

// The rules as a table in Markdown, for docs/security.md.
std::string RulesAsMarkdown();

}  // namespace slipway::policy
