#include "services/models/domain/call_event.h"

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace slipway::models {

events::EventDraft CallFinished(const CallRecord& record) {
  const absl::Duration latency = record.end_time.value_or(record.start_time) - record.start_time;
  const nlohmann::json facts = {
      {"call", absl::StrCat("calls/", record.id)},
      {"provider", record.provider},
      {"model", record.model},
      {"role", record.scopes.role},
      {"outcome", record.outcome},
      {"reason", record.reason},
      // Protobuf's JSON writes 64-bit integers as text.
      {"latency_ms", absl::StrCat(absl::ToInt64Milliseconds(latency))},
  };
  return {.kind = "call.finished",
          .project = record.scopes.project,
          .plan = record.scopes.plan,
          .task = record.scopes.task,
          .attempt = record.scopes.attempt,
          .payload_json = events::PayloadJson("call.finished", facts.dump())};
}

}  // namespace slipway::models
