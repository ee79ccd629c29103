#include "services/models/wire/compose.h"

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace slipway::models {
namespace {

using nlohmann::json;

const char* SpeakerName(Speaker speaker) {
  switch (speaker) {
    case Speaker::kSystem:
      return "system";
    case Speaker::kUser:
      return "user";
    case Speaker::kAssistant:
      return "assistant";
  }
  return "user";
}

json Turns(const std::vector<Message>& messages, bool with_system) {
  json turns = json::array();
  for (const Message& message : messages) {
    if (message.speaker == Speaker::kSystem && !with_system) continue;
    turns.push_back({{"role", SpeakerName(message.speaker)}, {"content", message.text}});
  }
  return turns;
}

json ComposeChat(const Composition& what, const json& schema) {
  json body = {{"messages", Turns(what.messages, true)},
               {"stream_options", {{"include_usage", true}}},
               {"max_completion_tokens", what.output_tokens_max}};
  if (!what.service_tier.empty()) body["service_tier"] = what.service_tier;
  if (!what.reasoning_effort.empty()) body["reasoning_effort"] = what.reasoning_effort;
  if (schema.is_object()) {
    body["response_format"] = {{"type", "json_schema"},
                               {"json_schema", {{"name", "reply"}, {"schema", schema}}}};
  }
  return body;
}

json ComposeResponses(const Composition& what, const json& schema) {
  json body = {{"input", Turns(what.messages, true)},
               {"max_output_tokens", what.output_tokens_max},
               {"store", false}};
  if (!what.service_tier.empty()) body["service_tier"] = what.service_tier;
  if (!what.reasoning_effort.empty()) body["reasoning"] = {{"effort", what.reasoning_effort}};
  if (schema.is_object()) {
    body["text"] = {{"format", {{"type", "json_schema"}, {"name", "reply"}, {"schema", schema}}}};
  }
  return body;
}

json ComposeMessages(const Composition& what, const json& schema) {
  json body = {{"messages", Turns(what.messages, false)}, {"max_tokens", what.output_tokens_max}};
  std::string system;
  for (const Message& message : what.messages) {
    if (message.speaker != Speaker::kSystem) continue;
    absl::StrAppend(&system, system.empty() ? "" : "\n\n", message.text);
  }
  if (!system.empty()) body["system"] = system;
  if (!what.service_tier.empty()) body["service_tier"] = what.service_tier;
  if (!what.reasoning_effort.empty()) body["output_config"]["effort"] = what.reasoning_effort;
  if (schema.is_object()) {
    body["output_config"]["format"] = {{"type", "json_schema"}, {"schema", schema}};
  }
  return body;
}

}  // namespace

std::string ComposeRequest(Dialect dialect, const Composition& what) {
  const json schema = json::parse(what.response_schema, nullptr, /*allow_exceptions=*/false);
  json body = dialect == Dialect::kChat        ? ComposeChat(what, schema)
              : dialect == Dialect::kResponses ? ComposeResponses(what, schema)
                                               : ComposeMessages(what, schema);
  body["model"] = what.model;
  body["stream"] = true;
  return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace slipway::models
