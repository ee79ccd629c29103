#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "services/models/cassette/recorder.h"
#include "services/models/domain/caller.h"
#include "services/models/domain/route_table.h"
#include "slipway/config/v1/models.pb.h"

namespace slipway::models {

// The parts that the configuration describes. Each fails with ConfigInvalid, which says what to do.
absl::StatusOr<Providers> MakeProviders(const config::v1::ModelsConfig& config, base::Clock& clock);
absl::StatusOr<RouteTable> MakeRoutes(const config::v1::ModelsConfig& config);

// What is kept, and for how long.
struct Keeping {
  Recorder::Options recording;
  absl::Duration cassette_retention;
  absl::Duration call_retention;
  int64_t calls_max = 0;
  absl::Duration health_interval;
};
absl::StatusOr<Keeping> MakeKeeping(const config::v1::ModelsConfig& config);

}  // namespace slipway::models
