#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/change.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

struct InspectionRequest {
  std::string attempt;
  int64_t epoch = 0;
  std::string base_commit;
  std::string patch;
  std::string expected_tree;
  std::vector<std::string> allowed_paths;
  std::string title;
  std::string approver;
};

// Decides whether patches are sound and allowed, and commits those that are. Blocks; thread-safe.
class Inspector final {
 public:
  explicit Inspector(const Workshop& workshop) : workshop_(workshop) {}

  // What became of the patch. The same patch of an attempt gets the same answer, except that an
  // approver is heard; another patch is PatchDiffers. Fails with PlanUnknown, BaseUnknown,
  // OidInvalid or NAME_INVALID.
  absl::StatusOr<Inspection> Inspect(const InspectionRequest& request);

 private:
  struct Job;

  absl::Status Examine(Job& job);
  absl::Status Accept(Job& job);

  const Workshop& workshop_;
};

}  // namespace slipway::reviewer
