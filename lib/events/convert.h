#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/events/event.h"
#include "slipway/events/v1/event.pb.h"
#include "slipway/events/v1/event_log.pb.h"

namespace slipway::events {

// The message of an event of log `log`. A payload that does not parse, or does not hold the field
// that the kind names, is logged and left out; unknown fields are ignored.
v1::Event EventToProto(absl::string_view log, const Event& event);

// The filter of a request to log `log`. Fails with FILTER_INVALID.
absl::StatusOr<EventFilter> FilterFromProto(absl::string_view log, const v1::EventFilter& filter);

}  // namespace slipway::events
