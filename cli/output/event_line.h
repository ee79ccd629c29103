#pragma once

#include <string>

#include "absl/time/time.h"
#include "slipway/events/v1/event.pb.h"

namespace slipway::cli {

struct EventLineOptions {
  absl::TimeZone zone;
  bool colour = false;
  bool everything = false;  // Else only what tells how the work goes.
  bool with_plan = false;   // Names the plan: for a log of several.
};

// One line for a person without a line break: "12:30:05  csv-import  running -> inspecting".
// Empty for events that are not shown.
std::string EventLine(const events::v1::Event& event, const EventLineOptions& options);

}  // namespace slipway::cli
