#include "agent/domain/path_pattern.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace slipway::agent {
namespace {

// Matches with a wildcard that stands for any run of elements, in the product of the sizes.
template <typename Pattern, typename Text, typename IsWildcard, typename Equal>
bool Matches(const Pattern& pattern, const Text& text, IsWildcard is_wildcard, Equal equal) {
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t p = 0, t = 0, wildcard = kNone, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && is_wildcard(pattern[p])) {
      wildcard = p++;
      resume = t;
    } else if (p < pattern.size() && equal(pattern[p], text[t])) {
      ++p;
      ++t;
    } else if (wildcard != kNone) {
      p = wildcard + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && is_wildcard(pattern[p])) ++p;
  return p == pattern.size();
}

bool ComponentMatches(absl::string_view pattern, absl::string_view component) {
  return Matches(
      pattern, component, [](char c) { return c == '*'; }, [](char a, char b) { return a == b; });
}

}  // namespace

bool MatchesPattern(absl::string_view pattern, absl::string_view path) {
  std::string whole(pattern);
  if (absl::EndsWith(whole, "/")) absl::StrAppend(&whole, "**");
  const std::vector<absl::string_view> wanted = absl::StrSplit(whole, '/');
  const std::vector<absl::string_view> actual = absl::StrSplit(path, '/');
  return Matches(
      wanted, actual, [](absl::string_view component) { return component == "**"; },
      ComponentMatches);
}

bool MatchesAny(const std::vector<std::string>& patterns, absl::string_view path) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return MatchesPattern(pattern, path); });
}

}  // namespace slipway::agent
