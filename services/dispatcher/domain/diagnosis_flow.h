#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/outbox.h"
#include "services/dispatcher/domain/retry_policy.h"
#include "services/dispatcher/domain/reviewer.h"

namespace slipway::dispatcher {

// Has every open question about attempts that failed diagnosed, for the person who is asked. What
// to ask follows from the questions alone, so after a restart it is asked again, and answered from
// the record of the first call. No task waits for it. Used by the core's thread.
class DiagnosisFlow final {
 public:
  // Runs a command on the core's thread.
  using Post = std::function<void(absl::AnyInvocable<void()>)>;

  DiagnosisFlow(Board& board, Outbox& outbox, Reviewer& reviewer, base::Clock& clock,
                Randomness random, Post post);

  // Starts what can be started: questions that are new, and those whose time has come. Costs as
  // much as there are questions without a diagnosis.
  void Drive();

  // For explorations.
  std::string DescribeMemory() const;

 private:
  struct Case {
    bool under_way = false;
    absl::Duration not_before;
    int failures = 0;
  };

  bool MayStart(const Checkpoint& checkpoint, const Case& open) const;
  void Start(const Checkpoint& checkpoint, const Task& task);
  void OnDone(const CheckpointKey& key, const absl::StatusOr<Diagnosis>& result);
  // Absent when it is to be tried again.
  std::optional<Diagnosis> Conclude(Case& open, const absl::StatusOr<Diagnosis>& result);

  Board& board_;
  Outbox& outbox_;
  Reviewer& reviewer_;
  base::Clock& clock_;
  Randomness random_;
  Post post_;
  std::map<CheckpointKey, Case> cases_;
  int under_way_ = 0;
};

}  // namespace slipway::dispatcher
