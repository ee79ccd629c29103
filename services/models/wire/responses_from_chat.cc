#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/http/sse_parser.h"
#include "services/models/wire/chat_for_responses.h"

namespace slipway::models {
namespace {

using nlohmann::json;

std::string DumpOf(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string TextIn(const json& value, const char* name) {
  if (!value.is_object()) return "";
  const auto found = value.find(name);
  return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The first choice's `part`; null where there is none.
json PartOfChoice(const json& chunk, const char* part) {
  if (!chunk.is_object()) return nullptr;
  const auto choices = chunk.find("choices");
  if (choices == chunk.end() || !choices->is_array() || choices->empty()) return nullptr;
  const auto found = choices->front().find(part);
  return found == choices->front().end() ? json() : *found;
}

}  // namespace

ResponsesFromChat::ResponsesFromChat(std::string id, int64_t created, std::string model,
                                     std::set<std::string> custom_tools)
    : id_(std::move(id)),
      created_(created),
      model_(std::move(model)),
      custom_tools_(std::move(custom_tools)) {}

std::string ResponsesFromChat::Frame(const char* type, json fields) {
  fields["type"] = type;
  fields["sequence_number"] = sequence_++;
  return http::SseFrame(type, DumpOf(fields));
}

json ResponsesFromChat::Response(const char* status) const {
  json output = json::array();
  for (const Item& item : items_) output.push_back(ItemObject(item, true));
  return {{"id", absl::StrCat("resp_", id_)},
          {"object", "response"},
          {"created_at", created_},
          {"status", status},
          {"model", model_},
          {"output", std::move(output)},
          {"parallel_tool_calls", true},
          {"tool_choice", "auto"},
          {"tools", json::array()},
          {"metadata", json::object()},
          {"error", nullptr},
          {"incomplete_details", nullptr},
          {"instructions", nullptr},
          {"temperature", nullptr},
          {"top_p", nullptr},
          {"usage", nullptr}};
}

json ResponsesFromChat::ItemObject(const Item& item, bool done) const {
  const char* status = done ? "completed" : "in_progress";
  if (item.message) {
    json content = json::array();
    if (done) {
      content.push_back(
          {{"type", "output_text"}, {"text", item.text}, {"annotations", json::array()}});
    }
    return {{"id", item.id},
            {"type", "message"},
            {"role", "assistant"},
            {"status", status},
            {"content", std::move(content)}};
  }
  json object = {
      {"id", item.id}, {"status", status}, {"call_id", item.call_id}, {"name", item.name}};
  if (custom_tools_.count(item.name) == 0) {
    object["type"] = "function_call";
    object["arguments"] = done ? item.text : "";
    return object;
  }
  const json arguments = json::parse(item.text, nullptr, /*allow_exceptions=*/false);
  object["type"] = "custom_tool_call";
  object["input"] = done ? TextIn(arguments, "input") : "";
  return object;
}

std::string ResponsesFromChat::Begin() {
  if (std::exchange(begun_, true)) return "";
  // One after the other: frames are numbered as they are made.
  std::string frames = Frame("response.created", {{"response", Response("in_progress")}});
  frames += Frame("response.in_progress", {{"response", Response("in_progress")}});
  return frames;
}

std::string ResponsesFromChat::OpenItem(size_t index) {
  Item& item = items_[index];
  item.open = true;
  std::string frames = Frame("response.output_item.added",
                             {{"output_index", index}, {"item", ItemObject(item, false)}});
  if (!item.message) return frames;
  frames +=
      Frame("response.content_part.added",
            {{"item_id", item.id},
             {"output_index", index},
             {"content_index", 0},
             {"part", {{"type", "output_text"}, {"text", ""}, {"annotations", json::array()}}}});
  return frames;
}

std::string ResponsesFromChat::CloseItem(size_t index) {
  Item& item = items_[index];
  if (!std::exchange(item.open, false)) return "";
  const json object = ItemObject(item, true);
  const json place = {{"item_id", item.id}, {"output_index", index}};
  std::string frames;
  if (item.message) {
    json text = place;
    text.update({{"content_index", 0}, {"text", item.text}});
    json part = place;
    part.update({{"content_index", 0}, {"part", object["content"][0]}});
    frames = Frame("response.output_text.done", std::move(text));
    frames += Frame("response.content_part.done", std::move(part));
  } else if (object["type"] == "function_call") {
    json arguments = place;
    arguments["arguments"] = item.text;
    frames = Frame("response.function_call_arguments.done", std::move(arguments));
  } else {
    json input = place;
    input["input"] = object["input"];
    frames = Frame("response.custom_tool_call_input.done", std::move(input));
  }
  return frames + Frame("response.output_item.done", {{"output_index", index}, {"item", object}});
}

std::string ResponsesFromChat::TakeText(const std::string& text) {
  std::string frames;
  if (items_.empty() || !items_.back().message) {
    if (!items_.empty()) frames += CloseItem(items_.size() - 1);
    items_.push_back({.message = true, .id = absl::StrCat("msg_", id_, "_", items_.size())});
    frames += OpenItem(items_.size() - 1);
  }
  Item& item = items_.back();
  item.text += text;
  return frames + Frame("response.output_text.delta", {{"item_id", item.id},
                                                       {"output_index", items_.size() - 1},
                                                       {"content_index", 0},
                                                       {"delta", text}});
}

std::string ResponsesFromChat::TakeToolCall(const json& call) {
  if (!call.is_object()) return "";
  const int64_t number = call.contains("index") && call["index"].is_number_integer()
                             ? call["index"].get<int64_t>()
                             : static_cast<int64_t>(calls_.size());
  const json function = call.contains("function") ? call["function"] : json::object();
  std::string frames;
  if (calls_.count(number) == 0) {
    if (!items_.empty()) frames += CloseItem(items_.size() - 1);
    calls_[number] = items_.size();
    Item item = {.id = absl::StrCat("fc_", id_, "_", items_.size()),
                 .call_id = TextIn(call, "id"),
                 .name = TextIn(function, "name")};
    if (item.call_id.empty()) item.call_id = absl::StrCat("call_", id_, "_", items_.size());
    items_.push_back(std::move(item));
    frames += OpenItem(items_.size() - 1);
  }
  const size_t index = calls_[number];
  const std::string arguments = TextIn(function, "arguments");
  Item& item = items_[index];
  item.text += arguments;
  if (arguments.empty() || custom_tools_.count(item.name) > 0) return frames;
  return frames + Frame("response.function_call_arguments.delta",
                        {{"item_id", item.id}, {"output_index", index}, {"delta", arguments}});
}

std::string ResponsesFromChat::TakeChunk(absl::string_view data) {
  const json chunk = json::parse(data.begin(), data.end(), nullptr, /*allow_exceptions=*/false);
  const json delta = PartOfChoice(chunk, "delta");
  std::string frames = Begin();
  if (!delta.is_object()) return frames;
  std::string text = TextIn(delta, "content");
  if (text.empty()) text = TextIn(delta, "refusal");
  if (!text.empty()) frames += TakeText(text);
  const auto calls = delta.find("tool_calls");
  if (calls == delta.end() || !calls->is_array()) return frames;
  for (const json& call : *calls) frames += TakeToolCall(call);
  return frames;
}

void ResponsesFromChat::SetUsage(json& response, const std::optional<TokenCounts>& tokens) const {
  if (!tokens.has_value()) return;
  const int64_t input =
      tokens->input + tokens->cache_read + tokens->cache_write + tokens->cache_write_long;
  response["usage"] = {
      {"input_tokens", input},
      {"input_tokens_details",
       {{"cached_tokens", tokens->cache_read}, {"cache_write_tokens", tokens->cache_write}}},
      {"output_tokens", tokens->output},
      {"output_tokens_details", {{"reasoning_tokens", tokens->reasoning}}},
      {"total_tokens", input + tokens->output}};
}

std::string ResponsesFromChat::End(bool whole, const std::string& finish_reason,
                                   const std::optional<TokenCounts>& tokens) {
  if (!whole) return "";
  std::string frames = Begin();
  for (size_t i = 0; i < items_.size(); ++i) frames += CloseItem(i);
  const bool cut = finish_reason == "length" || finish_reason == "content_filter";
  json response = Response(cut ? "incomplete" : "completed");
  if (cut) {
    response["incomplete_details"] = {
        {"reason", finish_reason == "length" ? "max_output_tokens" : "content_filter"}};
  }
  SetUsage(response, tokens);
  return frames + Frame(cut ? "response.incomplete" : "response.completed",
                        {{"response", std::move(response)}});
}

std::string ResponsesFromChat::TakeBody(absl::string_view body,
                                        const std::optional<TokenCounts>& tokens) {
  const json reply = json::parse(body.begin(), body.end(), nullptr, /*allow_exceptions=*/false);
  const json message = PartOfChoice(reply, "message");
  const std::string text = TextIn(message, "content");
  if (!text.empty()) TakeText(text);
  if (message.is_object() && message.contains("tool_calls") && message["tool_calls"].is_array()) {
    for (const json& call : message["tool_calls"]) TakeToolCall(call);
  }
  const json reason = PartOfChoice(reply, "finish_reason");
  const bool cut = reason == "length";
  json response = Response(cut ? "incomplete" : "completed");
  if (cut) response["incomplete_details"] = {{"reason", "max_output_tokens"}};
  SetUsage(response, tokens);
  return DumpOf(response);
}

}  // namespace slipway::models
