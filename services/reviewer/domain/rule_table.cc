#include "services/reviewer/domain/rule_table.h"

#include <algorithm>

namespace slipway::reviewer {

const std::vector<Rule>& Rules() {
  static const std::vector<Rule>& rules = *new std::vector<Rule>{
      {"AGENT_CONFIG", Floor::kQuarantine, "paths.unprotected", false,
       "files that instruct agents or editors"},
      {"BIDI", Floor::kRefuse, "", true, "control characters that reorder what is shown"},
      {"BINARY", Floor::kRefuse, "paths.allow_binary", false, "binary content"},
      {"BINARY_EXEC", Floor::kRefuse, "", false, "content that a machine or a loader executes"},
      {"CASE_COLLISION", Floor::kRefuse, "", false, "names that differ only in letter case"},
      {"CHURN", Floor::kQuarantine, "", true, "every changed line differs only in its line end"},
      {"CI", Floor::kQuarantine, "paths.unprotected", false, "continuous integration"},
      {"CONFLICT_MARKER", Floor::kRefuse, "", true, "markers of a merge that was not finished"},
      {"CONTROL_CHAR", Floor::kRefuse, "", true, "control characters in text"},
      {"EXEC_SURFACE", Floor::kQuarantine, "paths.unprotected", false,
       "files that tools execute unasked"},
      {"FORBIDDEN", Floor::kRefuse, "paths.forbidden", false, "paths that the project forbids"},
      {"GIT_SETTINGS", Floor::kQuarantine, "paths.unprotected", false,
       "files that change what git shows"},
      {"HOMOGLYPH", Floor::kQuarantine, "", true, "words that mix scripts which look alike"},
      {"HOOKS", Floor::kQuarantine, "paths.unprotected", false, "hooks of git and their managers"},
      {"INVISIBLE", Floor::kRefuse, "", true, "characters that nobody sees"},
      {"LFS", Floor::kQuarantine, "", false, "pointers to content that is not in the patch"},
      {"LIMITS", Floor::kRefuse, "paths.files_max", true, "more than a person can review"},
      {"MASS_DELETE", Floor::kQuarantine, "", false, "many deletions, or a file emptied"},
      {"MODE_CHANGE", Floor::kQuarantine, "paths.allow_mode_changes", false,
       "changes of the executable bit"},
      {"NOT_ALLOWED", Floor::kRefuse, "paths.allowed", false, "paths outside the task"},
      {"PROTECTED", Floor::kRefuse, "", false, "paths that no patch may touch"},
      {"SECRET", Floor::kRefuse, "", true, "credentials"},
      {"SECRET_FILE", Floor::kRefuse, "", true, "files that hold credentials by their name"},
      {"SUPPLY_CHAIN", Floor::kQuarantine, "", false, "a lock file without its manifest"},
      {"SYMLINK", Floor::kRefuse, "paths.allow_symlinks", false, "symbolic links"},
      {"TEST_WEAKENING", Floor::kQuarantine, "", true, "tests deleted or skipped"},
      {"TREE_MISMATCH", Floor::kRefuse, "", false, "a result other than the one announced"},
      {"TYPE_CHANGE", Floor::kRefuse, "", false, "a file that becomes a link, or the reverse"},
      {"UTF8", Floor::kRefuse, "", true, "text that is not UTF-8"},
  };
  return rules;
}

Floor FloorOf(absl::string_view code) {
  const std::vector<Rule>& rules = Rules();
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const Rule& candidate) { return candidate.code == code; });
  return rule == rules.end() ? Floor::kRefuse : rule->floor;
}

bool HumanMayAccept(const std::vector<Finding>& findings) {
  return !findings.empty() &&
         std::all_of(findings.begin(), findings.end(), [](const Finding& finding) {
           return FloorOf(finding.code) == Floor::kQuarantine;
         });
}

}  // namespace slipway::reviewer
