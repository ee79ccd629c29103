#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/patch/applier.h"
#include "lib/patch/fake_base_view.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"
#include "lib/policy/glob.h"
#include "lib/policy/limits.h"
#include "lib/policy/patch_policy.h"
#include "lib/policy/rule_table.h"
#include "lib/policy/secret_scanner.h"

// The input is a name up to the first newline and the content that a file of that name gets. It is
// judged under the narrowest and the widest policy; every finding has a rule, and what nobody may
// waive under the widest policy nobody may waive under the narrowest either.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\n'), input.size());
  const std::string name(input.substr(0, end));
  const std::string content(input.substr(std::min(end + 1, input.size())));
  policy::GlobMatches(name, content.substr(0, 200));
  policy::GlobProblem(name);
  policy::FindSecret(content);
  policy::FindEncodedSecret(content);

  patch::FakeBaseView base{{"test_a.py", "def test():\n    assert 1\n"},
                           {"package-lock.json", "\"resolved\": \"https://a.example/x\"\n"},
                           {"Readme", "x\n"}};
  const absl::StatusOr<std::string> diff = patch::RenderChanges(
      {{.path = name, .after = patch::FileState{.mode = patch::kRegular, .content = content}}},
      base);
  if (!diff.ok()) return 0;
  const absl::StatusOr<patch::Patch> read = patch::ParseUnified(*diff);
  if (!read.ok()) return 0;
  const auto changes = patch::Apply(*read, base);
  if (!changes.ok()) return 0;
  const policy::PathPolicy wide{.unprotected = {"**"},
                                .allow_binary = true,
                                .allow_symlinks = true,
                                .allow_mode_changes = true,
                                .allow_windows_names = true};
  policy::Verdict verdicts[2];
  for (const bool widest : {false, true}) {
    const auto findings = policy::CheckPatch(
        {.patch = *read, .changes = *changes, .bytes = diff->size(), .base = base},
        widest ? wide : policy::PathPolicy{}, {});
    if (!findings.ok() || findings->size() > policy::kReasonsMax) std::abort();
    for (const policy::Finding& finding : *findings) {
      if (policy::FindRule(finding.code) == nullptr) std::abort();
    }
    verdicts[widest] = policy::VerdictOf(*findings);
  }
  if (verdicts[1] == policy::Verdict::kReject && verdicts[0] != policy::Verdict::kReject) {
    std::abort();
  }
  return 0;
}
