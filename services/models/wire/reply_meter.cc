#include "services/models/wire/reply_meter.h"

#include "lib/base/utf8.h"
#include "services/models/wire/usage.h"

namespace slipway::models {
namespace {

using nlohmann::json;

const json* Inner(const json& value, const char* name) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(name);
  return found == value.end() || found->is_null() ? nullptr : &*found;
}

std::string InnerText(const json& value, const char* name) {
  const json* member = Inner(value, name);
  return member != nullptr && member->is_string() ? member->get<std::string>() : std::string();
}

// OpenAI's names for why a message of Anthropic's ended.
std::string FinishReason(const std::string& stop_reason) {
  if (stop_reason == "end_turn" || stop_reason == "stop_sequence") return "stop";
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded") {
    return "length";
  }
  if (stop_reason == "tool_use") return "tool_calls";
  if (stop_reason == "refusal") return "content_filter";
  return base::ToUtf8(stop_reason, 40);
}

}  // namespace

std::string ReplyMeter::TakeEvent(absl::string_view data) {
  usage_alone_ = false;
  if (data == "[DONE]") {
    metered_.whole = metered_.whole || dialect_ == Dialect::kChat;
    return "";
  }
  const json event = json::parse(data.begin(), data.end(), nullptr, /*allow_exceptions=*/false);
  if (!event.is_object()) {
    metered_.malformed = true;
    return "";
  }
  if (dialect_ == Dialect::kChat) return TakeChat(event, "delta");
  return dialect_ == Dialect::kResponses ? TakeResponsesEvent(event) : TakeMessagesEvent(event);
}

std::string ReplyMeter::TakeBody(absl::string_view body) {
  const json reply = json::parse(body.begin(), body.end(), nullptr, /*allow_exceptions=*/false);
  if (!reply.is_object()) {
    metered_.malformed = true;
    return "";
  }
  if (dialect_ == Dialect::kResponses) return TakeResponse(reply);
  if (dialect_ == Dialect::kMessages) return TakeMessage(reply);
  std::string text = TakeChat(reply, "message");
  metered_.whole = ended_;
  if (seen_.has_value()) metered_.tokens = seen_;  // Nothing follows a whole reply.
  return text;
}

void ReplyMeter::TakeIdentity(const json& object) {
  const std::string model = InnerText(object, "model");
  if (!model.empty()) metered_.model = base::ToUtf8(model, 200);
  const std::string tier = ReadTier(object);
  if (!tier.empty()) metered_.service_tier = base::ToUtf8(tier, 40);
  const std::string id = InnerText(object, "id");
  if (!id.empty() && metered_.request_id.empty()) metered_.request_id = base::ToUtf8(id, 200);
}

void ReplyMeter::TakeError(const json& error) {
  metered_.error = error.dump(-1, ' ', false, json::error_handler_t::replace);
}

// A later count replaces an earlier one unless it is smaller.
void ReplyMeter::TakeUsage(const json& usage) {
  const std::optional<TokenCounts> tokens = ReadUsage(dialect_, usage);
  if (!tokens.has_value()) return;
  if (!seen_.has_value() || AllTokens(*tokens) >= AllTokens(*seen_)) seen_ = tokens;
}

std::string ReplyMeter::TakeChat(const json& chunk, const char* part_name) {
  TakeIdentity(chunk);
  const json* usage = Inner(chunk, "usage");
  if (usage != nullptr) TakeUsage(*usage);
  const json* error = Inner(chunk, "error");
  if (error != nullptr) {
    TakeError(chunk);
    metered_.tokens = usage == nullptr ? metered_.tokens : seen_;
    return "";
  }
  const json* choices = Inner(chunk, "choices");
  const bool has_choice = choices != nullptr && choices->is_array() && !choices->empty();
  std::string text;
  if (has_choice) {
    const json& choice = choices->front();
    const std::string reason = InnerText(choice, "finish_reason");
    if (!reason.empty()) {
      metered_.finish_reason = base::ToUtf8(reason, 40);
      ended_ = true;
    }
    if (const json* part = Inner(choice, part_name)) {
      text = InnerText(*part, "content");
      if (text.empty()) text = InnerText(*part, "refusal");
      for (const char* name : {"tool_calls", "reasoning", "reasoning_content", "function_call"}) {
        metered_.spoke = metered_.spoke || Inner(*part, name) != nullptr;
      }
    }
  }
  metered_.spoke = metered_.spoke || !text.empty();
  usage_alone_ = usage != nullptr && !has_choice;
  // Counts before the end of the reply may still grow.
  if (usage != nullptr && (ended_ || !has_choice) && seen_.has_value()) {
    metered_.tokens = seen_;
    metered_.whole = metered_.whole || ended_;
  }
  return text;
}

std::string ReplyMeter::TakeResponsesEvent(const json& event) {
  const std::string type = InnerText(event, "type");
  if (type == "error" || type.empty()) {
    if (type == "error" || Inner(event, "error") != nullptr) TakeError(event);
    return "";
  }
  if (const json* response = Inner(event, "response")) {
    TakeResponse(*response);
    return "";
  }
  metered_.spoke = metered_.spoke || type == "response.output_item.added" ||
                   type.find(".delta") != std::string::npos;
  return type == "response.output_text.delta" || type == "response.refusal.delta"
             ? InnerText(event, "delta")
             : "";
}

std::string ReplyMeter::TakeResponse(const json& response) {
  TakeIdentity(response);
  const std::string status = InnerText(response, "status");
  if (const json* error = Inner(response, "error")) TakeError({{"error", *error}});
  if (status != "completed" && status != "incomplete" && status != "failed") return "";
  if (const json* usage = Inner(response, "usage")) {
    TakeUsage(*usage);
    metered_.tokens = seen_;
  }
  metered_.whole = status != "failed";
  metered_.finish_reason = "stop";
  if (const json* details = Inner(response, "incomplete_details")) {
    const std::string reason = InnerText(*details, "reason");
    metered_.finish_reason = reason == "max_output_tokens" ? "length" : base::ToUtf8(reason, 40);
  }
  std::string text;
  const json* output = Inner(response, "output");
  if (output == nullptr || !output->is_array()) return text;
  for (const json& item : *output) {
    metered_.spoke = true;
    if (InnerText(item, "type") == "function_call") metered_.finish_reason = "tool_calls";
    const json* content = Inner(item, "content");
    if (InnerText(item, "type") != "message" || content == nullptr || !content->is_array())
      continue;
    for (const json& part : *content) text += InnerText(part, "text");
  }
  return text;
}

std::string ReplyMeter::TakeMessagesEvent(const json& event) {
  const std::string type = InnerText(event, "type");
  const json* usage = Inner(event, "usage");
  if (type == "error") {
    TakeError(event);
    if (usage == nullptr) return "";
    MergeUsage(merged_, *usage);
    TakeUsage(merged_);
    metered_.tokens = seen_;
  } else if (type == "message_start") {
    metered_.began = true;
    const json* message = Inner(event, "message");
    if (message == nullptr) return "";
    TakeIdentity(*message);
    usage = Inner(*message, "usage");
    if (usage == nullptr) return "";
    MergeUsage(merged_, *usage);
    TakeIdentity(*usage);
  } else if (type == "message_delta") {
    if (usage != nullptr) MergeUsage(merged_, *usage);
    if (usage != nullptr) TakeIdentity(*usage);
    const json* delta = Inner(event, "delta");
    const std::string reason = delta == nullptr ? "" : InnerText(*delta, "stop_reason");
    if (!reason.empty()) metered_.finish_reason = FinishReason(reason);
    if (usage == nullptr || metered_.finish_reason.empty()) return "";
    TakeUsage(merged_);
    metered_.tokens = seen_;
  } else if (type == "message_stop") {
    metered_.whole = true;
  } else if (type == "content_block_delta") {
    metered_.spoke = true;
    const json* delta = Inner(event, "delta");
    return delta == nullptr ? "" : InnerText(*delta, "text");
  } else if (type == "content_block_start") {
    metered_.spoke = true;
  }
  return "";
}

std::string ReplyMeter::TakeMessage(const json& message) {
  if (InnerText(message, "type") == "error") {
    TakeError(message);
    return "";
  }
  TakeIdentity(message);
  if (const json* usage = Inner(message, "usage")) {
    TakeIdentity(*usage);
    TakeUsage(*usage);
    metered_.tokens = seen_;
  }
  metered_.whole = true;
  metered_.spoke = true;
  metered_.finish_reason = FinishReason(InnerText(message, "stop_reason"));
  std::string text;
  const json* content = Inner(message, "content");
  if (content == nullptr || !content->is_array()) return text;
  for (const json& block : *content) {
    if (InnerText(block, "type") == "text") text += InnerText(block, "text");
  }
  return text;
}

}  // namespace slipway::models
