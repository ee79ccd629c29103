#pragma once

#include "lib/events/event.h"
#include "services/models/domain/call.h"

namespace slipway::models {

// "call.finished" for a try that has ended.
events::EventDraft CallFinished(const CallRecord& record);

}  // namespace slipway::models
