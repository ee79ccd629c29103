#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::bench {

// What a stretch of load has measured. Times are from sending an operation to its answer.
struct Measurement {
  int64_t operations = 0;
  absl::Duration took;
  std::vector<float> latencies_us;  // Of every operation, in no order.

  double OperationsPerSecond() const {
    return took > absl::ZeroDuration()
               ? static_cast<double>(operations) / absl::ToDoubleSeconds(took)
               : 0;
  }
  void Add(const Measurement& other);
};

// The value below which `share` (0 to 1) of `values` lie; 0 when there are none.
double Percentile(std::vector<float> values, double share);

using Done = absl::AnyInvocable<void(const absl::Status&) &&>;

// Keeps `in_flight` operations under way for `length`: each worker starts its next one when its
// last was answered, and those that are then under way are waited for. `start(worker, done)` must
// not block. Fails with the first error of an operation.
absl::StatusOr<Measurement> RunClosedLoop(int in_flight, absl::Duration length,
                                          absl::FunctionRef<void(int worker, Done done)> start);

}  // namespace slipway::bench
