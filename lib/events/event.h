#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace slipway::events {

// Something that happened, before it has a place in a log. References are full resource names, or
// empty when the event is about no such thing.
struct EventDraft {
  std::string kind;     // "task.state_changed"; slipway/events/v1/event.proto lists them.
  std::string project;  // projects/{p}
  std::string plan;     // projects/{p}/plans/{n}
  std::string task;     // projects/{p}/plans/{n}/tasks/{t}
  std::string attempt;  // projects/{p}/plans/{n}/tasks/{t}/attempts/{k}
  // slipway.events.v1.EventPayload as JSON, see PayloadJson; empty when there are no facts.
  std::string payload_json;

  friend bool operator==(const EventDraft&, const EventDraft&) = default;
};

// The payload of an event of `kind` whose facts are the JSON object `facts_json`:
//   PayloadJson("task.state_changed", R"({"to":"READY"})") -> {"task_state_changed":{"to":"READY"}}
inline std::string PayloadJson(absl::string_view kind, absl::string_view facts_json) {
  return absl::StrCat("{\"", absl::StrReplaceAll(kind, {{".", "_"}}), "\":", facts_json, "}");
}

// An event in its log.
struct Event {
  int64_t sequence = 0;  // The first is 1; without gaps, never reused.
  absl::Time append_time;
  EventDraft draft;
};

// Which events: all conditions hold, values of `kinds` are alternatives, empty means all.
struct EventFilter {
  std::string project;
  std::string plan;
  std::string task;
  std::vector<std::string> kinds;  // Exact, or a prefix that ends in ".".
  bool nothing = false;            // Matches no event at all.

  bool Matches(const EventDraft& event) const;
};

}  // namespace slipway::events
