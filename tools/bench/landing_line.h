#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/reviewer/flow/workshop.h"
#include "services/reviewer/storage/sqlite_review_store.h"

namespace slipway::bench {

// How long the steps of one landing took.
struct LandingTimes {
  absl::Duration inspect;
  absl::Duration candidate;
  absl::Duration verdict;
  absl::Duration merge;

  absl::Duration Total() const { return inspect + candidate + verdict + merge; }
};

// The reviewer's own steps on a mirror and a database of their own, as the service runs them and as
// durable, without the RPCs around them. One change after the other; not thread-safe.
class LandingLine final {
 public:
  // Opens a plan on branch main of the repository `source`; works below `directory`.
  static absl::StatusOr<std::unique_ptr<LandingLine>> Open(const std::string& source,
                                                           const std::string& directory);

  // Inspects `patch` on the branch's tip, builds the candidate, has it judged (no critic is
  // configured, the verdict is stored) and merges it.
  absl::StatusOr<LandingTimes> Land(const std::string& patch);

  // Where the branch is.
  const std::string& tip() const { return tip_; }

 private:
  LandingLine(std::unique_ptr<reviewer::SqliteReviewStore> store,
              std::unique_ptr<reviewer::Mirrors> mirrors);

  const std::unique_ptr<reviewer::SqliteReviewStore> store_;
  const std::unique_ptr<reviewer::Mirrors> mirrors_;
  const reviewer::Sources sources_;
  const reviewer::Workshop workshop_;
  std::string tip_;
  int landed_ = 0;
};

}  // namespace slipway::bench
