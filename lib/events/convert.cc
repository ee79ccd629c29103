#include "lib/events/convert.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "lib/events/errors.h"
#include "lib/events/limits.h"
#include "lib/log/log.h"
#include "lib/rpc/proto_time.h"

namespace slipway::events {
namespace {

void SetPayload(absl::string_view log, const Event& event, v1::Event& message) {
  const EventDraft& draft = event.draft;
  if (draft.payload_json.empty()) return;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  v1::EventPayload payload;
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(draft.payload_json, &payload, options);
  const google::protobuf::FieldDescriptor* const named =
      v1::EventPayload::descriptor()->FindFieldByName(
          absl::StrReplaceAll(draft.kind, {{".", "_"}}));
  // A kind that this program does not know was written by a newer one: nothing to report.
  const bool misses_fields = named != nullptr && !payload.GetReflection()->HasField(payload, named);
  if (parsed.ok() && !misses_fields) {
    *message.mutable_payload() = std::move(payload);
    return;
  }
  log::Error("the payload of an event cannot be read", {{"log", log},
                                                        {"sequence", event.sequence},
                                                        {"kind", draft.kind},
                                                        {"error", parsed.ToString()}});
}

}  // namespace

v1::Event EventToProto(absl::string_view log, const Event& event) {
  v1::Event message;
  message.set_log(std::string(log));
  message.set_sequence(event.sequence);
  *message.mutable_append_time() = rpc::ToProto(event.append_time);
  message.set_kind(event.draft.kind);
  message.set_project(event.draft.project);
  message.set_plan(event.draft.plan);
  message.set_task(event.draft.task);
  message.set_attempt(event.draft.attempt);
  SetPayload(log, event, message);
  return message;
}

absl::StatusOr<EventFilter> FilterFromProto(absl::string_view log, const v1::EventFilter& filter) {
  if (filter.kinds_size() > kFilterKindsMax) {
    return FilterInvalid(absl::StrCat("a filter has at most ", kFilterKindsMax, " kinds, not ",
                                      filter.kinds_size()));
  }
  for (const std::string& kind : filter.kinds()) {
    if (kind.empty()) return FilterInvalid("a kind in a filter is empty");
  }
  const auto& logs = filter.logs();
  return EventFilter{
      .project = filter.project(),
      .plan = filter.plan(),
      .task = filter.task(),
      .kinds = {filter.kinds().begin(), filter.kinds().end()},
      .nothing = !logs.empty() && std::find(logs.begin(), logs.end(), log) == logs.end()};
}

}  // namespace slipway::events
