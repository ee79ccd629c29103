#include "services/planner/domain/path_pattern.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/utf8.h"
#include "services/planner/domain/limits.h"

namespace slipway::planner {
namespace {

std::string ComponentProblem(absl::string_view component) {
  if (component.empty()) return "has an empty component";
  if (component == ".") return "has a component '.'";
  if (component == "..") return "leaves the repository by '..'";
  if (absl::EqualsIgnoreCase(component, ".git")) return "reaches into '.git'";
  if (absl::StrContains(component, "**") && component != "**") {
    return "has '**' beside other characters of a component";
  }
  return "";
}

}  // namespace

std::string PathPatternProblem(absl::string_view pattern) {
  if (pattern.empty()) return "is empty";
  if (pattern.size() > kPathBytesMax) return "is too long";
  if (pattern.front() == '/') return "is absolute";
  if (pattern.front() == '~') return "begins with '~', a home directory";
  if (pattern.size() > 1 && absl::ascii_isalpha(pattern[0]) && pattern[1] == ':') {
    return "begins with a drive";
  }
  for (absl::string_view rest = pattern; !rest.empty();) {
    const size_t length = base::Utf8SequenceLength(rest);
    if (length == 0) return "is not UTF-8";
    if (absl::ascii_iscntrl(rest.front())) return "has a control character";
    if (rest.front() == '\\') return "has a backslash";
    rest.remove_prefix(length);
  }
  // "src/" means everything below src to many a model; the empty last component is allowed.
  absl::ConsumeSuffix(&pattern, "/");
  for (const absl::string_view component : absl::StrSplit(pattern, '/')) {
    const std::string problem = ComponentProblem(component);
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace slipway::planner
