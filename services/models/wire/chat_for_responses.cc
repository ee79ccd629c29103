#include "services/models/wire/chat_for_responses.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/models/domain/errors.h"

namespace slipway::models {
namespace {

using nlohmann::json;

const json* Part(const json& value, const char* name) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(name);
  return found == value.end() || found->is_null() ? nullptr : &*found;
}

std::string PartText(const json& value, const char* name) {
  const json* member = Part(value, name);
  return member != nullptr && member->is_string() ? member->get<std::string>() : std::string();
}

// Text as text, parts as chat's parts.
json ContentOf(const json& content) {
  if (!content.is_array()) return content;
  json parts = json::array();
  bool only_text = true;
  std::string text;
  for (const json& part : content) {
    const std::string type = PartText(part, "type");
    if (type == "input_image") {
      only_text = false;
      parts.push_back(
          {{"type", "image_url"}, {"image_url", {{"url", PartText(part, "image_url")}}}});
      continue;
    }
    std::string piece = PartText(part, "text");
    if (piece.empty()) piece = PartText(part, "refusal");
    text += piece;
    parts.push_back({{"type", "text"}, {"text", std::move(piece)}});
  }
  return only_text ? json(text) : parts;
}

class RequestTranslator final {
 public:
  RequestTranslator(const json& body, const WireDecision& decision)
      : body_(body), decision_(decision) {}

  absl::StatusOr<ChatForResponses> Run() {
    if (const json* instructions = Part(body_, "instructions")) Say("system", *instructions);
    const json* input = Part(body_, "input");
    if (input->is_string()) {
      Say("user", *input);
    } else {
      for (const json& item : *input) RETURN_IF_ERROR(TakeItem(item));
    }
    chat_["model"] = decision_.model;
    chat_["messages"] = std::move(messages_);
    chat_[decision_.old_output_limit ? "max_tokens" : "max_completion_tokens"] =
        decision_.output_tokens_max;
    TakeTools();
    TakeRest();
    ChatForResponses result = {.custom_tools = std::move(custom_tools_)};
    result.body = chat_.dump(-1, ' ', false, json::error_handler_t::replace);
    return result;
  }

 private:
  void Say(const std::string& role, json content) {
    messages_.push_back({{"role", role}, {"content", std::move(content)}});
  }

  absl::Status TakeItem(const json& item) {
    std::string type = PartText(item, "type");
    if (type.empty() && Part(item, "role") != nullptr) type = "message";
    if (type == "message") {
      const std::string role = PartText(item, "role");
      const json* content = Part(item, "content");
      Say(role == "developer" ? "system" : role,
          content == nullptr ? json("") : ContentOf(*content));
    } else if (type == "function_call") {
      AddCall(item, PartText(item, "arguments"));
    } else if (type == "custom_tool_call") {
      AddCall(item, json({{"input", PartText(item, "input")}}).dump());
    } else if (type == "function_call_output" || type == "custom_tool_call_output") {
      const json* output = Part(item, "output");
      messages_.push_back({{"role", "tool"},
                           {"tool_call_id", PartText(item, "call_id")},
                           {"content", output == nullptr ? json("") : ContentOf(*output)}});
    } else if (type != "reasoning" && type != "web_search_call") {
      return PromptInvalid(absl::StrCat("input of type \"", type.substr(0, 40),
                                        "\" cannot be told to a model that speaks chat "
                                        "completions"));
    }
    return absl::OkStatus();
  }

  // Calls that follow each other belong to one turn of the model.
  void AddCall(const json& item, std::string arguments) {
    json call = {
        {"id", PartText(item, "call_id")},
        {"type", "function"},
        {"function", {{"name", PartText(item, "name")}, {"arguments", std::move(arguments)}}}};
    if (messages_.empty() || messages_.back()["role"] != "assistant") {
      messages_.push_back({{"role", "assistant"}, {"content", nullptr}});
    }
    messages_.back()["tool_calls"].push_back(std::move(call));
  }

  void TakeTools() {
    const json* tools = Part(body_, "tools");
    if (tools == nullptr || !tools->is_array()) return;
    json list = json::array();
    for (const json& tool : *tools) {
      const std::string type = PartText(tool, "type");
      json function = {{"name", PartText(tool, "name")},
                       {"description", PartText(tool, "description")}};
      if (type == "function") {
        const json* parameters = Part(tool, "parameters");
        function["parameters"] = parameters == nullptr ? json::object() : *parameters;
      } else if (type == "custom") {
        custom_tools_.insert(PartText(tool, "name"));
        function["parameters"] = {{"type", "object"},
                                  {"properties", {{"input", {{"type", "string"}}}}},
                                  {"required", {"input"}}};
      } else {
        continue;
      }
      list.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
    if (list.empty()) return;
    chat_["tools"] = std::move(list);
    if (const json* parallel = Part(body_, "parallel_tool_calls")) {
      chat_["parallel_tool_calls"] = *parallel;
    }
    const json* choice = Part(body_, "tool_choice");
    if (choice == nullptr) return;
    if (choice->is_string()) chat_["tool_choice"] = *choice;
    if (Part(*choice, "name") != nullptr) {
      chat_["tool_choice"] = {{"type", "function"},
                              {"function", {{"name", PartText(*choice, "name")}}}};
    }
  }

  void TakeRest() {
    for (const char* name : {"temperature", "top_p", "user"}) {
      if (const json* value = Part(body_, name)) chat_[name] = *value;
    }
    if (!decision_.service_tier.empty()) chat_["service_tier"] = decision_.service_tier;
    std::string effort = decision_.reasoning_effort;
    if (const json* reasoning = Part(body_, "reasoning"); effort.empty() && reasoning != nullptr) {
      effort = PartText(*reasoning, "effort");
    }
    if (!effort.empty()) chat_["reasoning_effort"] = effort;
    const json* stream = Part(body_, "stream");
    if (stream != nullptr && *stream == true) {
      chat_["stream"] = true;
      chat_["stream_options"] = {{"include_usage", true}};
    }
    const json* text = Part(body_, "text");
    const json* format = text == nullptr ? nullptr : Part(*text, "format");
    if (format == nullptr) return;
    const std::string type = PartText(*format, "type");
    if (type == "json_object") chat_["response_format"] = {{"type", type}};
    if (type != "json_schema") return;
    json schema = *format;
    schema.erase("type");
    chat_["response_format"] = {{"type", type}, {"json_schema", std::move(schema)}};
  }

  const json& body_;
  const WireDecision& decision_;
  json chat_ = json::object();
  json messages_ = json::array();
  std::set<std::string> custom_tools_;
};

}  // namespace

absl::StatusOr<ChatForResponses> TranslateRequest(const WireRequest& request,
                                                  const WireDecision& decision) {
  const json body = json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object() || Part(body, "input") == nullptr) {
    return PromptInvalid("the body is not a JSON object with an input");
  }
  return RequestTranslator(body, decision).Run();
}

}  // namespace slipway::models
