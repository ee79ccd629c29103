#pragma once

#include <optional>
#include <unordered_set>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"
#include "lib/git/tree.h"

namespace slipway::git {

// No repository that one machine checks out has more.
inline constexpr size_t kSnapshotObjectsMax = 4'000'000;

using OidSet = std::unordered_set<Oid, absl::Hash<Oid>>;

// The trees and blobs of one commit, each once, in the order in which a walk meets them. The order
// depends on the tree alone, so that both sides of a snapshot make the same pack of it.
class SnapshotWalk final {
 public:
  // An object to send, with what stands at its path in the base.
  struct Step {
    Oid oid;
    std::optional<Oid> before;  // Of the same type.
  };

  // `known`, when there is one, holds what is left out.
  explicit SnapshotWalk(const ObjectSource& source, const OidSet* known = nullptr)
      : source_(source), known_(known) {}

  // ObjectMissing, ObjectCorrupt, ListTooLong.
  absl::Status Visit(const Oid& tree, const std::optional<Oid>& before = std::nullopt) {
    return Visit(tree, before, 0);
  }

  const std::vector<Step>& trees() const { return trees_; }
  const std::vector<Step>& blobs() const { return blobs_; }
  const OidSet& seen() const { return seen_; }
  // Whether `known` left out anything.
  bool reused() const { return reused_; }

 private:
  absl::Status Visit(const Oid& tree, const std::optional<Oid>& before, int depth);
  // Whether the object is to be sent, at its first meeting.
  bool IsNew(const Oid& oid);

  const ObjectSource& source_;
  const OidSet* const known_;
  OidSet seen_;
  std::vector<Step> trees_;
  std::vector<Step> blobs_;
  bool reused_ = false;
};

// How many objects of `tree` differ by path from those of `base`. Counting ends above `limit`, or
// when `trees_left`, which it lowers, is spent: then the count is above `limit`, too.
absl::StatusOr<size_t> CountDifference(const ObjectSource& source, const Oid& tree, const Oid& base,
                                       size_t limit, size_t& trees_left);

}  // namespace slipway::git
