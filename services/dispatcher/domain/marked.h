#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace slipway::dispatcher {

// Tasks or attempts that have something to be done about them, each once. By address: they must not
// go while they are marked. Taken in the order of their keys, so that equal histories stay equal.
template <typename T>
class Marked final {
 public:
  void Add(const T& of) { marked_.insert(&of); }
  bool Has(const T& of) const { return marked_.contains(&of); }

  std::vector<const T*> Take() {
    std::vector<const T*> taken(marked_.begin(), marked_.end());
    marked_.clear();
    std::sort(taken.begin(), taken.end(), [](const T* a, const T* b) { return a->key < b->key; });
    return taken;
  }

 private:
  absl::flat_hash_set<const T*> marked_;
};

}  // namespace slipway::dispatcher
