#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "services/ledger/domain/changes.h"

namespace slipway::ledger {

// What was decided and is not in the tables yet. One thread decides, the owner; another stores, in
// the same order.
class UnstoredChanges final {
 public:
  // `urge` is called when there is something to wait for: whoever stores does it now. Where there
  // are no threads it returns when all that was handed over is stored or lost.
  explicit UnstoredChanges(std::function<void()> urge) : urge_(std::move(urge)) {}

  // By the owner: `changes` are handed over to be stored.
  void Add(const Changes& changes);
  // By the owner: whether the reservation of `key` is among them.
  bool Contains(const std::string& key);
  // By the owner: waits until at most `left` are to be stored. Fails when some never will be.
  absl::Status WaitUntil(int64_t left);

  // By the one who stores: `count` more are in the tables, or nothing ever will be again.
  void OnStored(int64_t count);
  void OnLost(const absl::Status& cause);

 private:
  int64_t stored();

  const std::function<void()> urge_;
  int64_t added_ = 0;  // These three belong to the owner.
  absl::flat_hash_map<std::string, int64_t> last_by_key_;
  std::deque<std::pair<int64_t, std::string>> keys_;  // In the order of adding.

  base::Mutex mutex_;
  base::CondVar changed_;
  int64_t stored_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status lost_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::ledger
