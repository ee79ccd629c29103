#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/dispatcher/domain/keys.h"

namespace slipway::dispatcher {

// What attempts print. Thread-safe; blocks on disk.
class AttemptLogs {
 public:
  virtual ~AttemptLogs() = default;

  // Appends what of `data`, which begins at `offset`, is not there yet: a repeat changes nothing.
  // A gap is OUT_OF_RANGE (OFFSET_INVALID). A log is cut at 64 MiB.
  virtual absl::Status Append(const AttemptKey& attempt, int64_t offset,
                              absl::string_view data) = 0;

  // Up to `size_max` bytes from `offset`; empty at the end. OFFSET_INVALID beyond it.
  virtual absl::StatusOr<std::string> Read(const AttemptKey& attempt, int64_t offset,
                                           size_t size_max) const = 0;

  // 0 when there is no log.
  virtual int64_t Size(const AttemptKey& attempt) const = 0;
};

}  // namespace slipway::dispatcher
