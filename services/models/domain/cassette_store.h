#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/models/domain/call.h"

namespace slipway::models {

// A project or plan whose calls are recorded.
struct Recording {
  std::string scope;
  absl::Time start_time;
  std::string principal;
};

// What was recorded of one plan.
struct CassetteSummary {
  std::string plan;
  int64_t entries = 0;
  int64_t bytes = 0;
  int64_t dropped = 0;  // Calls that were not kept, because a limit was reached.
  absl::Time first_time;
  absl::Time last_time;
};

// One entry as it is kept.
struct StoredEntry {
  int64_t sequence = 0;
  std::string line;
  // Of the call's record, while that is kept and the call has ended.
  std::optional<TokenCounts> billed;
  std::optional<int64_t> cost_usd_nanos;
};

// Where cassettes are kept. Every change is durable when its method returns. Thread-safe.
class CassetteStore {
 public:
  struct NewEntry {
    std::string plan;
    std::string call;
    absl::Time start_time;
    std::string line;  // Empty: only counted as dropped.
  };
  // What one plan's cassette may hold; what exceeds it is counted and dropped.
  struct Bounds {
    int64_t entries = 0;
    int64_t bytes = 0;
    int64_t total_bytes = 0;  // Of all cassettes.
  };

  virtual ~CassetteStore() = default;

  // Keeps the newest entry of a call. Returns whether it was kept.
  virtual absl::StatusOr<bool> Append(const NewEntry& entry, const Bounds& bounds) = 0;

  virtual absl::StatusOr<std::vector<Recording>> Recordings() = 0;
  virtual absl::Status PutRecording(const Recording& recording) = 0;
  // Whether there was one.
  virtual absl::StatusOr<bool> RemoveRecording(const std::string& scope) = 0;

  // The newest first, at most `limit`.
  virtual absl::StatusOr<std::vector<CassetteSummary>> List(int limit) = 0;
  virtual absl::StatusOr<std::optional<CassetteSummary>> Find(const std::string& plan) = 0;
  // Entries after `after` in the order in which they were kept.
  virtual absl::StatusOr<std::vector<StoredEntry>> Read(const std::string& plan, int64_t after,
                                                        int limit) = 0;
  // Whether there was one.
  virtual absl::StatusOr<bool> Remove(const std::string& plan) = 0;
  // Removes cassettes of which nothing was recorded since.
  virtual absl::Status PruneCassettes(absl::Time last_before) = 0;
};

}  // namespace slipway::models
