#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/base/error.h"
#include "lib/http/sse_parser.h"
#include "lib/testkit/matchers.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"
#include "services/models/wire/body_edit.h"
#include "services/models/wire/chat_for_responses.h"
#include "services/models/wire/compose.h"
#include "services/models/wire/json_scan.h"
#include "services/models/wire/refusal.h"
#include "services/models/wire/reply_meter.h"
#include "services/models/wire/request_reader.h"
#include "services/models/wire/request_writer.h"
#include "services/models/wire/sse_splitter.h"

namespace slipway::models {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testkit::FailsWithReason;

class Quiet final : public JsonVisitor {
 public:
  void OnValue(const JsonValue&) override { ++values; }
  int values = 0;
};

absl::Status Scanned(const std::string& text) {
  Quiet visitor;
  return ScanJson(text, {}, visitor);
}

TEST(JsonScanTest, AgreesWithTheJsonLibraryOnWhatIsJson) {
  for (const char* text : {"{}",
                           "[]",
                           "1",
                           "-0",
                           "0.5",
                           "1e9",
                           "1E+9",
                           "\"\"",
                           "true",
                           "null",
                           " [ 1 , 2 ] ",
                           "{\"a\":{\"b\":[{}]}}",
                           "\"\\u00e9\\n\\/\"",
                           "[\"\xC3\xA9\"]",
                           "",
                           "{",
                           "[1,]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{a:1}",
                           "01",
                           "1.",
                           ".5",
                           "1e",
                           "+1",
                           "--1",
                           "tru",
                           "nul",
                           "\"\\x\"",
                           "\"\\u12g4\"",
                           "\"abc",
                           "[1 2]",
                           "{\"a\":1,}",
                           "{} {}",
                           "\"\t\"",
                           "\"\xC3\"",
                           "'a'",
                           "]",
                           "NaN",
                           "[1]]",
                           "{\"a\":1 \"b\":2}"}) {
    EXPECT_EQ(Scanned(text).ok(), json::accept(std::string(text))) << text;
  }
}

TEST(JsonScanTest, RefusesWhatReadersDisagreeAbout) {
  EXPECT_THAT(Scanned(R"({"service_tier":"flex","service_tier":"priority"})"),
              FailsWithReason("PROMPT_INVALID"));
  EXPECT_THAT(Scanned(R"({"a":1,"\u0061":2})"), FailsWithReason("PROMPT_INVALID"));
}

TEST(JsonScanTest, BoundsDepthAndKeys) {
  EXPECT_OK(Scanned(std::string(128, '[') + std::string(128, ']')));
  EXPECT_FALSE(Scanned(std::string(129, '[') + std::string(129, ']')).ok());
  EXPECT_FALSE(Scanned(std::string(1'000'000, '[')).ok());
  EXPECT_FALSE(Scanned(absl::StrCat("{\"", std::string(2'000, 'k'), "\":1}")).ok());
  std::string many = "{";
  for (int i = 0; i < 100'002; ++i) absl::StrAppend(&many, i > 0 ? "," : "", "\"", i, "\":1");
  EXPECT_FALSE(Scanned(many + "}").ok());
}

TEST(JsonTextTest, ResolvesEscapesAsTheJsonLibraryDoes) {
  for (const char* quoted :
       {R"("a\"b\\c\/d")", R"("\b\f\n\r\t")", R"("\u00e9\u4e2d\ud83d\ude00")"}) {
    EXPECT_EQ(JsonText(quoted), json::parse(std::string(quoted)).get<std::string>());
  }
  EXPECT_EQ(JsonText(R"("\ud83d!")"), "\xEF\xBF\xBD!");
}

TEST(BodyEditTest, RemovesEntriesWithTheCommasTheyLeave) {
  const std::string body = "[aa, bb ,cc]";
  const std::vector<WireSpan> entries = {{1, 3}, {5, 7}, {9, 11}};
  const auto without = [&](std::vector<bool> removed) {
    BodyEdit edit(body);
    edit.Remove(entries, removed);
    return edit.Apply();
  };
  EXPECT_EQ(without({true, false, false}), "[bb ,cc]");
  EXPECT_EQ(without({false, true, false}), "[aa, cc]");
  EXPECT_EQ(without({false, false, true}), "[aa, bb]");
  EXPECT_EQ(without({false, true, true}), "[aa]");
  EXPECT_EQ(without({true, true, true}), "[]");
}

WireRequest Read(Dialect dialect, const std::string& body) {
  absl::StatusOr<WireRequest> request = ReadWireRequest(dialect, body);
  EXPECT_OK(request);
  return request.ok() ? *std::move(request) : WireRequest();
}

constexpr char kChatBody[] =
    "{ \"model\" : \"role\",\n\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9\"}], "
    "\"zeta\": 1.50, \"stream\":true , \"alpha\":{\"k\":[1,2]} }";

TEST(RequestWriterTest, ChangesNothingButWhatIsDecided) {
  const WireRequest request = Read(Dialect::kChat, kChatBody);

  const std::string body = WriteWireRequest(
      request, {.model = "gpt-x", .output_tokens_max = 77, .service_tier = "flex"});

  EXPECT_EQ(
      body,
      "{ \"model\" : \"gpt-x\",\n\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9\"}], "
      "\"zeta\": 1.50, \"stream\":true , \"alpha\":{\"k\":[1,2]} "
      ",\"max_completion_tokens\":77,\"service_tier\":\"flex\","
      "\"stream_options\":{\"include_usage\":true}}");
}

struct Rewrite {
  const char* name;
  Dialect dialect;
  const char* body;  // Without model and input.
  const char* expected;
};
class RequestWriterRewrites : public ::testing::TestWithParam<Rewrite> {};

TEST_P(RequestWriterRewrites, InPlace) {
  const char* input = GetParam().dialect == Dialect::kResponses ? "input" : "messages";
  const std::string head = absl::StrCat("{\"model\":\"r\",\"", input, "\":[{}]");
  const WireRequest request = Read(GetParam().dialect, absl::StrCat(head, GetParam().body, "}"));

  const std::string body = WriteWireRequest(request, {.model = "m",
                                                      .output_tokens_max = 500,
                                                      .service_tier = "default",
                                                      .reasoning_effort = "low"});

  const std::string new_head = absl::StrCat("{\"model\":\"m\",\"", input, "\":[{}]");
  EXPECT_EQ(body, absl::StrCat(new_head, GetParam().expected, "}"));
  EXPECT_TRUE(json::accept(body));
}

INSTANTIATE_TEST_SUITE_P(
    , RequestWriterRewrites,
    ::testing::Values(
        Rewrite{"RaisedTier", Dialect::kChat,
                R"(,"service_tier":"priority","reasoning_effort":"max","max_tokens":9)",
                R"(,"service_tier":"default","reasoning_effort":"low","max_tokens":500)"},
        Rewrite{
            "UsageNotAsked", Dialect::kChat,
            R"(,"stream":true,"stream_options":{"include_usage":false},"max_tokens":9)",
            R"(,"stream":true,"stream_options":{"include_usage":true},"max_tokens":500,"service_tier":"default","reasoning_effort":"low")"},
        Rewrite{
            "OtherStreamOptions", Dialect::kChat,
            R"(,"stream":true,"stream_options":{"include_obfuscation":false},"max_tokens":9)",
            R"(,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},"max_tokens":500,"service_tier":"default","reasoning_effort":"low")"},
        Rewrite{
            "Responses", Dialect::kResponses, R"(,"reasoning":{"effort":"xhigh","summary":"auto"})",
            R"(,"reasoning":{"effort":"low","summary":"auto"},"max_output_tokens":500,"service_tier":"default")"},
        Rewrite{
            "EmptyReasoning", Dialect::kResponses, R"(,"reasoning":{ },"max_output_tokens":1)",
            R"(,"reasoning":{"effort":"low" },"max_output_tokens":500,"service_tier":"default")"},
        Rewrite{
            "ToolsAtTheProvider", Dialect::kResponses,
            R"(,"tools":[{"type":"function","name":"f"},{"type":"web_search"}],"max_output_tokens":1)",
            R"(,"tools":[{"type":"function","name":"f"}],"max_output_tokens":500,"service_tier":"default","reasoning":{"effort":"low"})"},
        Rewrite{
            "OnlyToolsAtTheProvider", Dialect::kResponses,
            R"(,"tools":[{"type":"image_generation"},{"type":"web_search"}],"tool_choice":"auto","max_output_tokens":1)",
            R"(,"max_output_tokens":500,"service_tier":"default","reasoning":{"effort":"low"})"},
        Rewrite{
            "MessagesThatCostMore", Dialect::kMessages,
            R"(,"speed":"fast","max_tokens":9,"inference_geo":"us","fallbacks":[{"model":"x"}])",
            R"(,"max_tokens":500,"service_tier":"default","output_config":{"effort":"low"})"},
        Rewrite{
            "ThinkingAboveTheLimit", Dialect::kMessages,
            R"(,"thinking":{"type":"enabled","budget_tokens":4096},"max_tokens":8192)",
            R"(,"thinking":{"type":"disabled"},"max_tokens":500,"service_tier":"default","output_config":{"effort":"low"})"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(RequestWriterTest, ThinkingStaysBelowTheWhole) {
  const WireRequest request =
      Read(Dialect::kMessages,
           R"({"model":"r","messages":[{}],"thinking":{"type":"enabled","budget_tokens":4096}})");

  EXPECT_THAT(WriteWireRequest(request, {.model = "m", .output_tokens_max = 2'000}),
              HasSubstr(R"("budget_tokens":1999)"));
}

struct Refused {
  const char* name;
  Dialect dialect;
  const char* fields;
  const char* message;
};
class RequestReaderRefuses : public ::testing::TestWithParam<Refused> {};

TEST_P(RequestReaderRefuses, WhatNoHoldCovers) {
  const absl::StatusOr<WireRequest> request = ReadWireRequest(
      GetParam().dialect, absl::StrCat("{\"model\":\"r\",", GetParam().fields, "}"));

  EXPECT_THAT(request, FailsWithReason("PROMPT_INVALID"));
  EXPECT_THAT(std::string(request.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    , RequestReaderRefuses,
    ::testing::Values(
        Refused{"KeptContext", Dialect::kResponses,
                R"("input":[{}],"previous_response_id":"resp_1")", "previous_response_id"},
        Refused{"Background", Dialect::kResponses, R"("input":"x","background":true)",
                "background"},
        Refused{"TwoReplies", Dialect::kChat, R"("messages":[{}],"n":2)", "n must be 1"},
        Refused{"NoInput", Dialect::kResponses, R"("input":"")", "missing or empty"},
        Refused{"NoMessages", Dialect::kMessages, R"("messages":[])", "missing or empty"},
        Refused{"WholeDocument", Dialect::kMessages,
                R"("messages":[{"role":"user","content":[{"type":"document"}]}])", "document"},
        Refused{"FileOfTool", Dialect::kResponses,
                R"("input":[{"type":"function_call_output","output":[{"type":"input_file"}]}])",
                "input_file"},
        Refused{"Audio", Dialect::kChat, R"("messages":[{}],"modalities":["text","audio"])",
                "modalities"},
        Refused{"NegativeLimit", Dialect::kMessages, R"("messages":[{}],"max_tokens":-1)",
                "above 0"},
        Refused{"HugeLimit", Dialect::kMessages,
                R"("messages":[{}],"max_tokens":99999999999999999999)", "above 0"},
        Refused{"StreamIsText", Dialect::kChat, R"("messages":[{}],"stream":"yes")", "stream"},
        Refused{"ServersOfTools", Dialect::kMessages, R"("messages":[{}],"mcp_servers":[{}])",
                "mcp_servers"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(RequestReaderTest, ArgumentsOfToolsAreTheModelsOwnText) {
  const WireRequest request = Read(
      Dialect::kMessages,
      R"({"model":"r","messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"type":"document"}}]}]})");

  EXPECT_EQ(request.model, "r");
}

TEST(RequestReaderTest, BoundsInputByBytesAndCountsPicturesApart) {
  const std::string text = R"({"model":"r","messages":[{"role":"user","content":"abc"}]})";
  const std::string picture = absl::StrCat(
      R"({"model":"r","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":")",
      std::string(100'000, 'A'), R"("}}]}]})");

  EXPECT_EQ(Read(Dialect::kMessages, text).input_tokens_bound,
            static_cast<int64_t>(text.size()) + 2 * kTokensPerMessage);
  EXPECT_LT(Read(Dialect::kMessages, picture).input_tokens_bound, 200 + kTokensPerImage);
  EXPECT_GT(Read(Dialect::kMessages, picture).input_tokens_bound, kTokensPerImage);
}

TEST(SseSplitterTest, KeepsEveryByteHoweverItIsCut) {
  const std::string stream =
      "data: 1\n\n: ping\n\nevent: x\r\ndata: 2\r\n\r\ndata: 3\rdata: 4\r\rdata: rest";
  for (size_t size = 1; size <= stream.size(); ++size) {
    SseSplitter splitter(1'000);
    std::string all;
    int frames = 0;
    for (size_t at = 0; at < stream.size(); at += size) {
      EXPECT_TRUE(
          splitter.Feed(absl::string_view(stream).substr(at, size), [&](absl::string_view frame) {
            ++frames;
            all.append(frame.data(), frame.size());
          }));
    }
    EXPECT_EQ(frames, 4) << size;
    EXPECT_EQ(all + splitter.rest(), stream) << size;
  }
}

TEST(SseSplitterTest, BoundsAFrame) {
  SseSplitter splitter(100);
  EXPECT_FALSE(splitter.Feed(std::string(101, 'x'), [](absl::string_view) {}));
}

TEST(RefusalTest, SpentBudgetStopsEachDialectsClients) {
  const absl::Status denied = BudgetDenied({.cause = "LIMIT", .scope = "projects/p"});

  const Refusal chat = ComposeRefusal(Dialect::kChat, denied);
  const Refusal responses = ComposeRefusal(Dialect::kResponses, denied);
  const Refusal messages = ComposeRefusal(Dialect::kMessages, denied);

  EXPECT_EQ(chat.status, 402);
  EXPECT_EQ(responses.status, 429);
  EXPECT_EQ(messages.status, 402);
  EXPECT_THAT(json::parse(chat.body)["error"]["message"].get<std::string>(),
              HasSubstr("insufficient credits, \"code\":402"));
  EXPECT_EQ(json::parse(responses.body)["error"]["type"], "insufficient_quota");
  EXPECT_EQ(json::parse(responses.body)["error"]["code"], "insufficient_quota");
  EXPECT_EQ(json::parse(messages.body)["type"], "error");
  EXPECT_EQ(json::parse(messages.body)["error"]["type"], "billing_error");
  for (const Refusal* refusal : {&chat, &responses, &messages}) {
    EXPECT_EQ(refusal->headers.Get("x-should-retry"), "false");
    EXPECT_FALSE(refusal->headers.Has("retry-after"));
  }
}

TEST(RefusalTest, UnpaidProviderIsNoReasonToWait) {
  const absl::Status unpaid = GateClosed("providers/p", "MONEY", absl::Minutes(10));
  const absl::Status busy = GateClosed("providers/p", "WAIT", absl::Seconds(1.2));

  EXPECT_EQ(ComposeRefusal(Dialect::kMessages, unpaid).status, 402);
  EXPECT_EQ(ComposeRefusal(Dialect::kMessages, busy).status, 429);
  EXPECT_EQ(ComposeRefusal(Dialect::kMessages, busy).headers.Get("retry-after"), "2");
}

json ChatOf(const std::string& body) {
  const WireRequest request = Read(Dialect::kResponses, body);
  absl::StatusOr<ChatForResponses> chat = TranslateRequest(
      request, {.model = "llama", .output_tokens_max = 99, .old_output_limit = true});
  EXPECT_OK(chat);
  return chat.ok() ? json::parse(chat->body) : json();
}

TEST(TranslateRequestTest, TellsTheWholeConversation) {
  const json chat = ChatOf(R"({"model":"r","instructions":"be brief","stream":true,"input":[
      {"role":"developer","content":"rules"},
      {"type":"message","role":"user","content":[{"type":"input_text","text":"fix it"}]},
      {"type":"reasoning","summary":[],"encrypted_content":"zzz"},
      {"type":"function_call","call_id":"c1","name":"exec","arguments":"{\"cmd\":\"ls\"}"},
      {"type":"custom_tool_call","call_id":"c2","name":"apply_patch","input":"*** Begin"},
      {"type":"function_call_output","call_id":"c1","output":"a.txt"},
      {"type":"custom_tool_call_output","call_id":"c2","output":"done"}],
      "tools":[{"type":"function","name":"exec","description":"d","parameters":{"type":"object"}},
               {"type":"custom","name":"apply_patch","description":"p"},{"type":"web_search"}],
      "tool_choice":"auto","reasoning":{"effort":"high"},
      "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}})");

  ASSERT_EQ(chat["messages"].size(), 6u) << chat.dump(1);
  EXPECT_EQ(chat["messages"][0], json({{"role", "system"}, {"content", "be brief"}}));
  EXPECT_EQ(chat["messages"][1]["role"], "system");
  EXPECT_EQ(chat["messages"][2]["content"], "fix it");
  EXPECT_EQ(chat["messages"][3]["tool_calls"].size(), 2u);
  EXPECT_EQ(chat["messages"][3]["tool_calls"][1]["function"]["arguments"],
            R"({"input":"*** Begin"})");
  EXPECT_EQ(chat["messages"][4],
            json({{"role", "tool"}, {"tool_call_id", "c1"}, {"content", "a.txt"}}));
  EXPECT_EQ(chat["tools"].size(), 2u);
  EXPECT_EQ(chat["model"], "llama");
  EXPECT_EQ(chat["max_tokens"], 99);
  EXPECT_EQ(chat["reasoning_effort"], "high");
  EXPECT_EQ(chat["stream_options"]["include_usage"], true);
  EXPECT_EQ(chat["response_format"]["json_schema"]["name"], "n");
}

std::vector<json> Events(const std::string& frames) {
  std::vector<json> events;
  http::SseParser parser;
  EXPECT_OK(parser.Feed(frames, [&](const http::SseEvent& event) {
    events.push_back(json::parse(event.data));
    EXPECT_EQ(events.back()["type"], event.event);
  }));
  return events;
}

TEST(ResponsesFromChatTest, StreamsTextAndToolCallsAsEvents) {
  ResponsesFromChat translator("1", 5, "role", {"apply_patch"});
  std::string frames;
  for (
      const char* delta :
      {R"({"content":"Let "})", R"({"content":"me"})",
       R"({"tool_calls":[{"index":0,"id":"c1","function":{"name":"exec","arguments":"{\"a\""}}]})",
       R"({"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]})",
       R"({"tool_calls":[{"index":1,"id":"c2","function":{"name":"apply_patch","arguments":"{\"input\":\"x\"}"}}]})"}) {
    frames += translator.TakeChunk(absl::StrCat(R"({"choices":[{"delta":)", delta, "}]}"));
  }
  frames +=
      translator.End(true, "tool_calls", TokenCounts{.input = 3, .cache_read = 4, .output = 5});

  const std::vector<json> events = Events(frames);
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i]["sequence_number"], i);
  EXPECT_EQ(events.front()["type"], "response.created");
  const json& response = events.back()["response"];
  EXPECT_EQ(events.back()["type"], "response.completed");
  ASSERT_EQ(response["output"].size(), 3u) << response.dump(1);
  EXPECT_EQ(response["output"][0]["content"][0]["text"], "Let me");
  EXPECT_EQ(response["output"][1]["arguments"], R"({"a":1})");
  EXPECT_EQ(response["output"][2]["type"], "custom_tool_call");
  EXPECT_EQ(response["output"][2]["input"], "x");
  EXPECT_EQ(response["usage"]["input_tokens"], 7);
  ReplyMeter meter(Dialect::kResponses);
  for (const json& event : events) meter.TakeEvent(event.dump());
  EXPECT_TRUE(meter.metered().whole);
  EXPECT_EQ(meter.metered().tokens->output, 5);
}

TEST(ResponsesFromChatTest, WhatBrokeOffHasNoEnd) {
  ResponsesFromChat translator("1", 5, "role", {});
  translator.TakeChunk(R"({"choices":[{"delta":{"content":"x"}}]})");

  EXPECT_EQ(translator.End(false, "", std::nullopt), "");
}

TEST(ResponsesFromChatTest, TellsAWholeReply) {
  ResponsesFromChat translator("1", 5, "role", {});

  const json response = json::parse(translator.TakeBody(
      R"({"choices":[{"message":{"content":"hi","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"length"}]})",
      TokenCounts{.input = 1, .output = 2}));

  EXPECT_EQ(response["status"], "incomplete");
  EXPECT_EQ(response["output"][1]["call_id"], "c");
  EXPECT_EQ(response["usage"]["total_tokens"], 3);
}

TEST(ComposeTest, SaysTheSameInEveryDialect) {
  const std::vector<Message> messages = {{Speaker::kSystem, "s"}, {Speaker::kUser, "u"}};
  const Composition what = {.model = "m",
                            .messages = messages,
                            .response_schema = R"({"type":"object"})",
                            .output_tokens_max = 9,
                            .service_tier = "flex",
                            .reasoning_effort = "high"};

  const json chat = json::parse(ComposeRequest(Dialect::kChat, what));
  const json responses = json::parse(ComposeRequest(Dialect::kResponses, what));
  const json anthropic = json::parse(ComposeRequest(Dialect::kMessages, what));

  EXPECT_EQ(chat["messages"].size(), 2u);
  EXPECT_EQ(chat["max_completion_tokens"], 9);
  EXPECT_EQ(chat["response_format"]["json_schema"]["schema"]["type"], "object");
  EXPECT_EQ(responses["input"].size(), 2u);
  EXPECT_EQ(responses["max_output_tokens"], 9);
  EXPECT_EQ(responses["reasoning"]["effort"], "high");
  EXPECT_EQ(anthropic["system"], "s");
  EXPECT_EQ(anthropic["messages"].size(), 1u);
  EXPECT_EQ(anthropic["max_tokens"], 9);
  for (const json* body : {&chat, &responses, &anthropic}) EXPECT_EQ((*body)["stream"], true);
}

}  // namespace
}  // namespace slipway::models
