#pragma once

#include "absl/strings/string_view.h"
#include "services/models/domain/dialect.h"

namespace slipway::models {

// What must hold of any bytes, for the fuzz targets and the test that mutates. Both abort where it
// does not.

// A request is refused, or what is sent for it is JSON with the model, limit and tier decided here
// and nothing that costs more.
void CheckAnyRequest(Dialect dialect, absl::string_view body);

// A stream loses no byte however it is cut, is metered the same, and never below zero; its
// translation is a stream again.
void CheckAnyReply(Dialect dialect, absl::string_view stream);

}  // namespace slipway::models
