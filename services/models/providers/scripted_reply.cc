#include "services/models/providers/scripted_reply.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"
#include "lib/http/sse_parser.h"
#include "nlohmann/json.hpp"
#include "services/models/wire/chat_for_responses.h"
#include "services/models/wire/json_scan.h"

namespace slipway::models {
namespace {

using nlohmann::json;
using FaultKind = ScriptFault::Kind;

constexpr size_t kScriptedChunkBytes = 256;

std::string DumpScripted(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json ChatUsage(const TokenCounts& tokens) {
  const int64_t prompt =
      tokens.input + tokens.cache_read + tokens.cache_write + tokens.cache_write_long;
  return {{"prompt_tokens", prompt},
          {"completion_tokens", tokens.output},
          {"total_tokens", prompt + tokens.output},
          {"prompt_tokens_details",
           {{"cached_tokens", tokens.cache_read}, {"cache_write_tokens", tokens.cache_write}}},
          {"completion_tokens_details", {{"reasoning_tokens", tokens.reasoning}}}};
}

json MessagesUsage(const TokenCounts& tokens, int64_t output) {
  return {{"input_tokens", tokens.input},
          {"cache_read_input_tokens", tokens.cache_read},
          {"cache_creation_input_tokens", tokens.cache_write + tokens.cache_write_long},
          {"cache_creation",
           {{"ephemeral_5m_input_tokens", tokens.cache_write},
            {"ephemeral_1h_input_tokens", tokens.cache_write_long}}},
          {"output_tokens", output},
          {"service_tier", "standard"}};
}

const char* StopReason(const std::string& finish_reason) {
  if (finish_reason == "length") return "max_tokens";
  return finish_reason == "tool_calls" ? "tool_use" : "end_turn";
}

json ErrorOf(Dialect dialect, int status) {
  const char* type = status == 529   ? "overloaded_error"
                     : status == 429 ? "rate_limit_error"
                     : status == 402 ? "billing_error"
                                     : "api_error";
  const char* code = status == 429   ? "rate_limit_exceeded"
                     : status == 402 ? "insufficient_quota"
                                     : "server_error";
  json error = {{"message", "the script says so"}, {"type", type}};
  if (dialect != Dialect::kMessages) error["code"] = status == 529 ? "529" : code;
  json object = {{"error", std::move(error)}};
  if (dialect == Dialect::kMessages) object["type"] = "error";
  return object;
}

std::vector<std::string> ChunksOf(absl::string_view text, size_t size) {
  std::vector<std::string> chunks;
  while (!text.empty()) {
    size_t end = 0;
    while (end < text.size() && end < size) {
      end += std::max<size_t>(base::Utf8SequenceLength(text.substr(end)), 1);
    }
    chunks.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return chunks;
}

// Frames of one stream, with how much text each carries.
class StreamComposer {
 public:
  StreamComposer(const WireRequest& request, const ScriptRule& rule, const ScriptedAnswer& answer)
      : request_(request), rule_(rule), answer_(answer) {
    if (rule.fault.has_value()) fault_ = rule.fault->kind;
  }
  virtual ~StreamComposer() = default;

  ScriptedReply Run() {
    ScriptedReply reply = {.headers = {{"Content-Type", "text/event-stream"}}};
    const bool breaks = fault_ == FaultKind::kDrop || fault_ == FaultKind::kHang ||
                        fault_ == FaultKind::kStreamError || fault_ == FaultKind::kUsageInError;
    const size_t most = breaks ? rule_.fault->after_bytes : SIZE_MAX;
    if (most > 0) Begin();
    const size_t size = rule_.chunk_bytes > 0 ? rule_.chunk_bytes : kScriptedChunkBytes;
    size_t told = 0;
    for (const std::string& chunk : ChunksOf(answer_.text, size)) {
      if (told >= most) break;
      told += chunk.size();
      Text(chunk);
    }
    if (fault_ == FaultKind::kStreamError || fault_ == FaultKind::kUsageInError) {
      Error(fault_ == FaultKind::kUsageInError);
    } else if (breaks) {
      reply.complete = false;
    } else {
      End(fault_ == FaultKind::kNoUsage ? 0 : fault_ == FaultKind::kUsageTwice ? 2 : 1);
    }
    reply.pieces = std::move(frames_);
    return reply;
  }

 protected:
  virtual void Begin() = 0;
  virtual void Text(const std::string& chunk) = 0;
  virtual void Error(bool with_usage) = 0;
  virtual void End(int usages) = 0;

  void Add(absl::string_view event, const json& data) {
    frames_.push_back(http::SseFrame(event, DumpScripted(data)));
  }

  const WireRequest& request_;
  const ScriptRule& rule_;
  const ScriptedAnswer& answer_;
  FaultKind fault_ = FaultKind::kNone;
  std::vector<std::string> frames_;
};

// Chat, and responses by way of the same translation that serves local models.
class ChatComposer final : public StreamComposer {
 public:
  ChatComposer(const WireRequest& request, const ScriptRule& rule, const ScriptedAnswer& answer)
      : StreamComposer(request, rule, answer), responses_(answer.id, 0, answer.model, {}) {}

 private:
  json Chunk(json delta, json finish_reason) const {
    return {{"id", absl::StrCat("chatcmpl-", answer_.id)},
            {"object", "chat.completion.chunk"},
            {"created", 0},
            {"model", answer_.model},
            {"service_tier", "default"},
            {"choices",
             {{{"index", 0},
               {"delta", std::move(delta)},
               {"finish_reason", std::move(finish_reason)}}}}};
  }
  void Send(const json& chunk) {
    if (request_.dialect == Dialect::kChat) return Add("", chunk);
    const std::string frames = responses_.TakeChunk(DumpScripted(chunk));
    if (!frames.empty()) frames_.push_back(frames);
  }

  void Begin() override { Send(Chunk({{"role", "assistant"}, {"content", ""}}, nullptr)); }
  void Text(const std::string& chunk) override { Send(Chunk({{"content", chunk}}, nullptr)); }
  void Error(bool with_usage) override {
    json error = ErrorOf(request_.dialect, rule_.fault->status);
    if (request_.dialect == Dialect::kChat) {
      if (with_usage) error["usage"] = ChatUsage(answer_.tokens);
      return Add("", error);
    }
    json response = {{"status", "failed"}, {"error", error["error"]}};
    if (with_usage) {
      response["usage"] = {{"input_tokens", answer_.tokens.input},
                           {"output_tokens", answer_.tokens.output}};
    }
    Add("response.failed", {{"type", "response.failed"}, {"response", std::move(response)}});
  }
  void End(int usages) override {
    int index = 0;
    for (const ScriptedToolCall& call : rule_.tool_calls) {
      Send(Chunk({{"tool_calls",
                   {{{"index", index},
                     {"id", absl::StrCat("call_", answer_.id, "_", index)},
                     {"type", "function"},
                     {"function", {{"name", call.name}, {"arguments", call.arguments}}}}}}},
                 nullptr));
      ++index;
    }
    if (request_.dialect == Dialect::kResponses) {
      const auto tokens = usages > 0 ? std::make_optional(answer_.tokens) : std::nullopt;
      frames_.push_back(responses_.End(true, answer_.finish_reason, tokens));
      return;
    }
    Send(Chunk(json::object(), answer_.finish_reason));
    for (int i = 0; i < usages; ++i) {
      json chunk = Chunk(json::object(), nullptr);
      chunk["choices"] = json::array();
      chunk["usage"] = ChatUsage(answer_.tokens);
      Send(chunk);
    }
    frames_.push_back(http::SseFrame("", "[DONE]"));
  }

  ResponsesFromChat responses_;
};

json ToolUseBlock(const ScriptedAnswer& answer, const ScriptedToolCall& call, size_t index,
                  bool with_input) {
  return {{"type", "tool_use"},
          {"id", absl::StrCat("toolu_", answer.id, "_", index)},
          {"name", call.name},
          {"input", with_input ? json::parse(call.arguments, nullptr, false) : json::object()}};
}

class MessagesComposer final : public StreamComposer {
 public:
  using StreamComposer::StreamComposer;

 private:
  void Begin() override {
    json message = {{"id", absl::StrCat("msg_", answer_.id)},
                    {"type", "message"},
                    {"role", "assistant"},
                    {"model", answer_.model},
                    {"content", json::array()},
                    {"stop_reason", nullptr},
                    {"stop_sequence", nullptr}};
    message["usage"] =
        MessagesUsage(fault_ == FaultKind::kNoUsage ? TokenCounts() : answer_.tokens, 1);
    if (fault_ == FaultKind::kNoUsage) message.erase("usage");
    Add("message_start", {{"type", "message_start"}, {"message", std::move(message)}});
  }
  void Text(const std::string& chunk) override {
    if (!std::exchange(open_, true)) {
      Add("content_block_start", {{"type", "content_block_start"},
                                  {"index", 0},
                                  {"content_block", {{"type", "text"}, {"text", ""}}}});
    }
    Add("content_block_delta", {{"type", "content_block_delta"},
                                {"index", 0},
                                {"delta", {{"type", "text_delta"}, {"text", chunk}}}});
  }
  void Error(bool with_usage) override {
    json error = ErrorOf(Dialect::kMessages, rule_.fault->status);
    if (with_usage) error["usage"] = MessagesUsage(answer_.tokens, answer_.tokens.output);
    Add("error", error);
  }
  void End(int usages) override {
    size_t index = 0;
    if (open_) Add("content_block_stop", {{"type", "content_block_stop"}, {"index", index++}});
    for (const ScriptedToolCall& call : rule_.tool_calls) {
      Add("content_block_start", {{"type", "content_block_start"},
                                  {"index", index},
                                  {"content_block", ToolUseBlock(answer_, call, index, false)}});
      Add("content_block_delta",
          {{"type", "content_block_delta"},
           {"index", index},
           {"delta", {{"type", "input_json_delta"}, {"partial_json", call.arguments}}}});
      Add("content_block_stop", {{"type", "content_block_stop"}, {"index", index++}});
    }
    json last = {
        {"type", "message_delta"},
        {"delta",
         {{"stop_reason", StopReason(answer_.finish_reason)}, {"stop_sequence", nullptr}}}};
    for (int i = 0; i < std::max(usages, 1); ++i) {
      if (usages > 0) last["usage"] = {{"output_tokens", answer_.tokens.output}};
      Add("message_delta", last);
    }
    Add("message_stop", {{"type", "message_stop"}});
  }

  bool open_ = false;
};

json ChatBody(const ScriptRule& rule, const ScriptedAnswer& answer) {
  json message = {{"role", "assistant"}, {"content", answer.text}};
  for (size_t i = 0; i < rule.tool_calls.size(); ++i) {
    const ScriptedToolCall& call = rule.tool_calls[i];
    message["tool_calls"].push_back(
        {{"id", absl::StrCat("call_", answer.id, "_", i)},
         {"type", "function"},
         {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  return {
      {"id", absl::StrCat("chatcmpl-", answer.id)},
      {"object", "chat.completion"},
      {"created", 0},
      {"model", answer.model},
      {"service_tier", "default"},
      {"choices",
       {{{"index", 0}, {"message", std::move(message)}, {"finish_reason", answer.finish_reason}}}},
      {"usage", ChatUsage(answer.tokens)}};
}

json MessagesBody(const ScriptRule& rule, const ScriptedAnswer& answer) {
  json content = json::array();
  if (!answer.text.empty()) content.push_back({{"type", "text"}, {"text", answer.text}});
  for (size_t i = 0; i < rule.tool_calls.size(); ++i) {
    content.push_back(ToolUseBlock(answer, rule.tool_calls[i], content.size(), true));
  }
  return {{"id", absl::StrCat("msg_", answer.id)},
          {"type", "message"},
          {"role", "assistant"},
          {"model", answer.model},
          {"content", std::move(content)},
          {"stop_reason", StopReason(answer.finish_reason)},
          {"stop_sequence", nullptr},
          {"usage", MessagesUsage(answer.tokens, answer.tokens.output)}};
}

class TextCollector final : public JsonVisitor {
 public:
  explicit TextCollector(absl::string_view body) : body_(body) {}
  void OnValue(const JsonValue& value) override {
    if (value.kind != JsonKind::kString || value.path.empty()) return;
    const std::string& root = value.path[0].key;
    if (root != "messages" && root != "input" && root != "system" && root != "instructions") return;
    absl::StrAppend(&text_, JsonText(body_.substr(value.begin, value.end - value.begin)), "\n");
  }
  std::string Take() { return std::move(text_); }

 private:
  const absl::string_view body_;
  std::string text_;
};

}  // namespace

ScriptedReply ComposeScriptedReply(const WireRequest& request, const ScriptRule& rule,
                                   const ScriptedAnswer& answer) {
  if (request.stream && request.dialect == Dialect::kMessages) {
    return MessagesComposer(request, rule, answer).Run();
  }
  if (request.stream) return ChatComposer(request, rule, answer).Run();
  ScriptedReply reply = {.headers = {{"Content-Type", "application/json"}}};
  reply.complete = !rule.fault.has_value();
  json body =
      request.dialect == Dialect::kMessages ? MessagesBody(rule, answer) : ChatBody(rule, answer);
  if (rule.fault.has_value() && rule.fault->kind == FaultKind::kNoUsage) {
    body.erase("usage");
    reply.complete = true;
  }
  std::string text = DumpScripted(body);
  if (request.dialect == Dialect::kResponses) {
    const bool counted = body.contains("usage");
    text = ResponsesFromChat(answer.id, 0, answer.model, {})
               .TakeBody(text, counted ? std::make_optional(answer.tokens) : std::nullopt);
  }
  if (!reply.complete) text.resize(std::min(text.size(), rule.fault->after_bytes));
  reply.pieces.push_back(std::move(text));
  return reply;
}

ScriptedReply ComposeScriptedRefusal(Dialect dialect, const ScriptFault& fault) {
  const int status = fault.kind == FaultKind::kRateLimit ? 429 : fault.status;
  ScriptedReply reply = {.status = status,
                         .headers = {{"Content-Type", "application/json"}},
                         .pieces = {DumpScripted(ErrorOf(dialect, status))}};
  if (fault.retry_after.has_value()) {
    reply.headers.Set("retry-after-ms",
                      absl::StrCat(absl::ToInt64Milliseconds(*fault.retry_after)));
  }
  return reply;
}

std::string PromptOfWire(const WireRequest& request) {
  TextCollector collector(request.body);
  ScanJson(request.body, {}, collector).IgnoreError();  // It was read before.
  return collector.Take();
}

}  // namespace slipway::models
