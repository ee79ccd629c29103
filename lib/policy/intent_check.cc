#include "lib/policy/intent_check.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "lib/policy/protected_paths.h"

namespace slipway::policy {
namespace {

using Lines = std::vector<absl::string_view>;

re2::StringPiece Piece(absl::string_view text) { return {text.data(), text.size()}; }

// How many of `lines` check something.
int CountChecks(const Lines& lines) {
  static const RE2& check =
      *new RE2(R"re(\bassert|\bexpect\(|\bEXPECT_|\bASSERT_|\bREQUIRE\(|\bCHECK\(|\.should\b|)re"
               R"re(\bt\.(?:Error|Fatal|Fail)|\brequire\.\w+\(t)re");
  return static_cast<int>(std::count_if(lines.begin(), lines.end(), [](absl::string_view line) {
    return RE2::PartialMatch(Piece(line), check);
  }));
}

struct Threshold {
  std::string name;
  double value = 0;
};

// A line that sets how much must be covered or must pass.
std::optional<Threshold> ThresholdIn(absl::string_view line) {
  static const RE2& setting = *new RE2(
      R"re((?i)(fail[_-]under|min(?:imum)?[_-]?coverage|coverage[_-]?(?:threshold|min\w*)|)re"
      R"re(\b(?:branches|functions|lines|statements))["']?\s*[:= ]\s*(\d{1,3}(?:\.\d{1,6})?)\b)re");
  std::string name, number;
  Threshold threshold;
  if (!RE2::PartialMatch(Piece(line), setting, &name, &number) ||
      !absl::SimpleAtod(number, &threshold.value)) {
    return std::nullopt;
  }
  threshold.name = absl::AsciiStrToLower(name);
  return threshold;
}

bool LowersThreshold(const Lines& removed, const Lines& added) {
  for (const absl::string_view old_line : removed) {
    const std::optional<Threshold> before = ThresholdIn(old_line);
    if (!before.has_value()) continue;
    for (const absl::string_view new_line : added) {
      const std::optional<Threshold> after = ThresholdIn(new_line);
      if (after.has_value() && after->name == before->name && after->value < before->value) {
        return true;
      }
    }
  }
  return false;
}

// The hosts of the addresses in `text`.
std::set<std::string> HostsIn(absl::string_view text) {
  static const RE2& address =
      *new RE2(R"re((?i)(?:https?|git|ssh)://(?:[^/\s"'@]*@)?([a-z0-9.-]+))re");
  std::set<std::string> hosts;
  re2::StringPiece rest = Piece(text);
  std::string host;
  while (RE2::FindAndConsume(&rest, address, &host)) hosts.insert(absl::AsciiStrToLower(host));
  return hosts;
}

int64_t CountOf(absl::string_view text, absl::string_view word) {
  int64_t count = 0;
  for (size_t at = text.find(word); at != absl::string_view::npos; at = text.find(word, at + 1)) {
    ++count;
  }
  return count;
}

// Packages that a lock file pins without a checksum.
int64_t Unverified(absl::string_view text) {
  return CountOf(text, "resolved") - CountOf(text, "integrity");
}

std::string WithoutBlanks(const Lines& lines) {
  std::string text;
  for (const absl::string_view line : lines) {
    for (const char c : line) {
      if (!absl::ascii_isspace(c)) text.push_back(c);
    }
  }
  return text;
}

bool OnlyBlanksDiffer(const Lines& removed, const Lines& added, absl::string_view before) {
  constexpr size_t kLinesMin = 20;
  constexpr size_t kPercentMin = 80;
  if (removed.size() < kLinesMin || added.empty()) return false;
  const auto lines = static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  return removed.size() * 100 >= lines * kPercentMin &&
         WithoutBlanks(removed) == WithoutBlanks(added);
}

std::optional<std::string> SupplyProblem(const ContentPair& content) {
  const std::set<std::string> known = HostsIn(content.before);
  if (content.before.empty()) return std::nullopt;  // A new lock file has a new manifest.
  for (const std::string& host : HostsIn(content.after)) {
    if (known.count(host) == 0) {
      return absl::StrCat("the lock file names a host that it did not name before: ", host);
    }
  }
  if (Unverified(content.after) > std::max<int64_t>(Unverified(content.before), 0)) {
    return "the lock file drops checksums";
  }
  return std::nullopt;
}

}  // namespace

std::vector<Finding> CheckIntent(const patch::FileChange& change, const ContentPair& content) {
  std::vector<Finding> findings;
  const std::string& path = change.path();
  Lines removed, added;
  for (const patch::Hunk& hunk : change.hunks()) {
    for (const patch::HunkLine& line : hunk.Lines()) {
      if (line.kind == '-') removed.push_back(line.text);
      if (line.kind == '+') added.push_back(line.text);
    }
  }
  if (IsTestFile(path)) {
    const int less = CountChecks(removed) - CountChecks(added);
    if (less > 0) {
      findings.push_back(
          {"TEST_WEAKENING", path, absl::StrCat("the test makes ", less, " checks less")});
    }
  }
  if (findings.empty() && LowersThreshold(removed, added)) {
    findings.push_back({"TEST_WEAKENING", path, "a threshold is lowered"});
  }
  if (!ManifestOf(path).empty()) {
    if (std::optional<std::string> problem = SupplyProblem(content)) {
      findings.push_back({"SUPPLY_CHAIN", path, *problem});
    }
  }
  if (OnlyBlanksDiffer(removed, added, content.before)) {
    findings.push_back({"CHURN", path, "most lines change, and only their white space"});
  }
  return findings;
}

}  // namespace slipway::policy
