#include "lib/policy/glob.h"

#include "absl/strings/str_split.h"
#include "lib/policy/limits.h"

namespace slipway::policy {
namespace {

// Matches with one point of return, the last star, which is enough.
bool ComponentMatches(absl::string_view pattern, absl::string_view text) {
  size_t p = 0, t = 0, star = absl::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

using Components = std::vector<absl::string_view>;

// The same one level up: "**" is the star of components.
bool ComponentsMatch(const Components& pattern, const Components& path) {
  size_t p = 0, t = 0, star = absl::string_view::npos, star_path = 0;
  while (t < path.size()) {
    if (p < pattern.size() && pattern[p] == "**") {
      star = p++;
      star_path = t;
    } else if (p < pattern.size() && ComponentMatches(pattern[p], path[t])) {
      ++p;
      ++t;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      t = ++star_path;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == "**") ++p;
  return p == pattern.size();
}

}  // namespace

bool GlobMatches(absl::string_view pattern, absl::string_view path) {
  Components components = absl::StrSplit(pattern, '/');
  if (components.back().empty()) components.back() = "**";
  // "src/**" is what lies below src, not src itself.
  if (components.back() == "**") components.push_back("*");
  return ComponentsMatch(components, absl::StrSplit(path, '/'));
}

bool AnyGlobMatches(const std::vector<std::string>& patterns, absl::string_view path) {
  for (const std::string& pattern : patterns) {
    if (GlobMatches(pattern, path)) return true;
  }
  return false;
}

std::string GlobProblem(absl::string_view pattern) {
  if (pattern.empty()) return "is empty";
  if (pattern.size() > kPatternBytesMax) return "is too long";
  if (pattern.front() == '/') return "is absolute";
  for (const char c : pattern) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return "has a control character";
    if (c == '\\') return "has a backslash";
  }
  if (pattern.back() == '/') pattern.remove_suffix(1);
  for (const absl::string_view component : absl::StrSplit(pattern, '/')) {
    if (component.empty()) return "has an empty component";
    if (component == "." || component == "..") return "has a component '.' or '..'";
    if (component != "**" && component.find("**") != absl::string_view::npos) {
      return "has '**' beside other characters of a component";
    }
  }
  return "";
}

}  // namespace slipway::policy
