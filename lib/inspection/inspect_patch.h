#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/oid.h"
#include "lib/git/overlay.h"
#include "lib/policy/finding.h"
#include "lib/policy/path_policy.h"
#include "lib/policy/rule_table.h"

namespace slipway::inspection {

enum class Mode {
  kStrict,    // Exactly what `git diff --binary --full-index` writes.
  kTolerant,  // Also what people and language models type, see patch::ReadModelEdit.
};

// A patch and what it may do.
struct Submission {
  absl::string_view patch;
  Mode mode = Mode::kStrict;
  const policy::PathPolicy& policy;
  const std::vector<std::string>& task_allowed;  // Empty: what the policy allows.
  std::string expected_tree = {};                // Empty: the author announces none.
};

// What an inspection found.
struct Report {
  // Refusals first; empty for a patch without objections.
  std::vector<policy::Finding> findings;
  git::Oid tree = {};  // What the patch gives; null when it could not be read or applied.
  std::vector<std::string> paths;
  int added = 0;    // Lines.
  int removed = 0;  // Lines.
  // The patch was not in the strict form and was rendered anew; everything above is about that.
  bool normalised = false;

  policy::Verdict verdict() const { return policy::VerdictOf(findings); }
};

// A single patch is held in memory several times over; larger ones are refused whatever the policy
// says. It fits a gRPC message.
inline constexpr size_t kPatchBytesMax = 15 << 20;

// Reads `submission`, applies it to `base_tree` in memory and judges the result. The new blobs and
// trees are put into `overlay`; nothing is published.
//
// What is wrong with the patch is a finding. An error is a failure of the repository or of memory.
absl::StatusOr<Report> InspectPatch(git::Overlay& overlay, const git::Oid& base_tree,
                                    const Submission& submission);

}  // namespace slipway::inspection
