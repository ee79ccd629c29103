#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/shared_text.h"

namespace slipway::dispatcher {

// projects/{p}/plans/{n}/tasks/{t}.
struct TaskKey {
  base::SharedText plan;  // projects/{p}/plans/{n}
  base::SharedText id;

  std::string Name() const;
  friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const TaskKey& key) {
    return H::combine(std::move(hash), key.plan, key.id);
  }
};

// .../attempts/{k}, where k is the epoch.
struct AttemptKey {
  TaskKey task;
  int64_t epoch = 0;

  std::string Name() const;
  friend auto operator<=>(const AttemptKey&, const AttemptKey&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const AttemptKey& key) {
    return H::combine(std::move(hash), key.task, key.epoch);
  }
};

// .../checkpoints/c{n}.
struct CheckpointKey {
  TaskKey task;
  int64_t number = 0;

  std::string Name() const;
  friend auto operator<=>(const CheckpointKey&, const CheckpointKey&) = default;
};

// All fail with INVALID_ARGUMENT (NAME_INVALID).
absl::Status CheckPlanName(absl::string_view name);
absl::Status CheckProjectName(absl::string_view name);
absl::StatusOr<TaskKey> ParseTaskKey(absl::string_view name);
absl::StatusOr<AttemptKey> ParseAttemptKey(absl::string_view name);
absl::StatusOr<CheckpointKey> ParseCheckpointKey(absl::string_view name);

// projects/{p} of the name of anything below a project.
std::string ProjectOf(absl::string_view name);

}  // namespace slipway::dispatcher
