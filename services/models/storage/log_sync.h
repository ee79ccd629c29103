#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"

namespace slipway::models {

// Syncs the write-ahead log of a database whose commits do not: so that commits that must survive
// a power failure wait for the disk, without keeping others, which need not, from writing
// meanwhile. Those who wait at the same time share one sync. Thread-safe.
class LogSync final {
 public:
  // `database` is a path, or ":memory:", where nothing is to be done.
  explicit LogSync(std::string database) : database_(std::move(database)) {}

  // Every commit that had returned before survives a power failure when this returns. Blocks on
  // disk. Once it has failed it always fails: what the disk holds is unknown.
  absl::Status Sync();

 private:
  absl::Status SyncNow();

  const std::string database_;
  base::UniqueFd log_;  // Used by the thread that syncs.
  base::Mutex mutex_;
  base::CondVar changed_;
  bool syncing_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t begun_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t ended_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
