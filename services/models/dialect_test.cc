#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kMessagesBody[] =
    R"({"model":"claude","max_tokens":600,"stream":true,"system":"s","messages":[{"role":"user","content":"hi"}],"context_management":{"edits":[]}})";
constexpr char kResponsesBody[] =
    R"({"model":"official","stream":true,"store":false,"input":[{"role":"user","content":"hi"}]})";

std::string Event(const json& data) {
  return http::SseFrame(data["type"].get<std::string>(), data.dump());
}

std::vector<std::string> MessageFrames() {
  return {
      Event({{"type", "message_start"},
             {"message",
              {{"id", "msg_1"},
               {"model", "claude-test"},
               {"usage",
                {{"input_tokens", 5},
                 {"cache_read_input_tokens", 100},
                 {"cache_creation_input_tokens", 50},
                 {"cache_creation",
                  {{"ephemeral_5m_input_tokens", 20}, {"ephemeral_1h_input_tokens", 30}}},
                 {"output_tokens", 1},
                 {"service_tier", "standard"}}}}}}),
      ": a comment\n\n",
      Event({{"type", "content_block_delta"}, {"delta", {{"type", "text_delta"}, {"text", "yo"}}}}),
      Event({{"type", "message_delta"},
             {"delta", {{"stop_reason", "end_turn"}}},
             {"usage", {{"output_tokens", 42}}}}),
      Event({{"type", "message_stop"}})};
}

std::vector<std::string> ResponseFrames(const std::string& status) {
  return {Event({{"type", "response.created"},
                 {"response", {{"id", "resp_1"}, {"status", "in_progress"}}}}),
          Event({{"type", "response.output_text.delta"}, {"delta", "yo"}}),
          Event({{"type", "response." + status},
                 {"response",
                  {{"id", "resp_1"},
                   {"status", status},
                   {"service_tier", "flex"},
                   {"usage",
                    {{"input_tokens", 30},
                     {"input_tokens_details", {{"cached_tokens", 10}}},
                     {"output_tokens", 7},
                     {"output_tokens_details", {{"reasoning_tokens", 4}}}}}}}})};
}

std::string Joined(const std::vector<std::string>& frames) {
  std::string all;
  for (const std::string& frame : frames) all += frame;
  return all;
}

class DialectTest : public ServerFixture {
 protected:
  http::Client::Response Post(const std::string& path, const std::string& body,
                              http::Headers more = {}) {
    if (key_.empty()) key_ = IssueKey({"official", "claude", "local", "writer", "chat"});
    http::ClientRequest request = WireRequestTo(key_, path, body);
    for (const auto& [name, value] : more) request.headers.Set(name, value);
    return client_.Fetch(request);
  }
  FakeLedger::Entry OnlyEntry() {
    const auto entries = ledger_.entries();
    EXPECT_THAT(entries, SizeIs(1));
    return entries.empty() ? FakeLedger::Entry() : ledger_.AwaitEnd(entries.begin()->first);
  }
  json Sent(size_t index = 0) { return json::parse(endpoint_.requests().at(index).body); }

  std::string key_;
};

TEST_F(DialectTest, MessagesPassByteForByteAndAreSettledByClass) {
  endpoint_.Then(FakeEndpoint::Stream(MessageFrames()));
  StartServer();

  const http::Client::Response response =
      Post("/v1/messages?beta=true", kMessagesBody,
           {{"anthropic-beta", "a,b"}, {"anthropic-version", "2023-06-02"}});

  EXPECT_EQ(response.result.http_status, 200) << response.body;
  EXPECT_EQ(response.body, Joined(MessageFrames()));
  EXPECT_EQ(response.headers.Get("x-slipway-output-tokens-max"), "600");
  const http::Request sent = endpoint_.requests()[0];
  EXPECT_EQ(sent.path, "/v1/messages");
  EXPECT_EQ(sent.headers.Get("anthropic-beta"), "a,b");
  EXPECT_EQ(sent.headers.Get("anthropic-version"), "2023-06-02");
  EXPECT_EQ(sent.headers.Get("x-api-key"), "provider-key");
  EXPECT_FALSE(sent.headers.Has("authorization"));
  EXPECT_EQ(
      sent.body,
      R"({"model":"claude-test","max_tokens":600,"stream":true,"system":"s","messages":[{"role":"user","content":"hi"}],"context_management":{"edits":[]},"service_tier":"standard_only"})");
  const ledger::v1::SettleRequest settle = OnlyEntry().settle;
  EXPECT_EQ(settle.tokens().input(), 5);
  EXPECT_EQ(settle.tokens().cache_read(), 100);
  EXPECT_EQ(settle.tokens().cache_write(), 20);
  EXPECT_EQ(settle.tokens().cache_write_long(), 30);
  EXPECT_EQ(settle.tokens().output(), 42);
  EXPECT_EQ(settle.service_tier(), "default");
}

TEST_F(DialectTest, ResponsesPassByteForByteAndAreSettledAtTheTierThatServed) {
  endpoint_.Then(FakeEndpoint::Stream(ResponseFrames("completed")));
  StartServer();

  const http::Client::Response response = Post("/v1/responses", kResponsesBody);

  EXPECT_EQ(response.body, Joined(ResponseFrames("completed")));
  EXPECT_EQ(endpoint_.requests()[0].path, "/v1/responses");
  EXPECT_EQ(Sent()["max_output_tokens"], 1000);
  EXPECT_EQ(Sent()["service_tier"], "default");
  const ledger::v1::SettleRequest settle = OnlyEntry().settle;
  EXPECT_EQ(settle.tokens().input(), 20);
  EXPECT_EQ(settle.tokens().cache_read(), 10);
  EXPECT_EQ(settle.tokens().reasoning(), 4);
  EXPECT_EQ(settle.service_tier(), "flex");
}

TEST_F(DialectTest, FailedResponseIsSettledByTheUsageInItsError) {
  endpoint_.Then(FakeEndpoint::Stream(ResponseFrames("failed")));
  StartServer();

  const http::Client::Response response = Post("/v1/responses", kResponsesBody);

  EXPECT_THAT(response.body, HasSubstr("response.failed"));
  EXPECT_EQ(OnlyEntry().settle.tokens().output(), 7);
}

TEST_F(DialectTest, CapOfTheAgentIsLoweredToWhatTheMoneyBuys) {
  endpoint_.Then(FakeEndpoint::Stream(MessageFrames()));
  StartServer();
  const int64_t input = static_cast<int64_t>(std::string(kMessagesBody).size()) + 2 * 16;
  ledger_.SetLimit(input * 1'000 + 300 * 4'000);

  const http::Client::Response response = Post("/v1/messages", kMessagesBody);

  EXPECT_EQ(response.headers.Get("x-slipway-output-tokens-max"), "300");
  EXPECT_EQ(Sent()["max_tokens"], 300);
}

TEST_F(DialectTest, ResponsesAreTranslatedForALocalModel) {
  endpoint_.Then(FakeEndpoint::Stream({FakeEndpoint::Text("yo"), FakeEndpoint::Stop(),
                                       FakeEndpoint::Usage(9, 0, 3), FakeEndpoint::Done()}));
  StartServer();

  const http::Client::Response response =
      Post("/v1/responses", R"({"model":"local","stream":true,"input":"hi"})");

  EXPECT_EQ(endpoint_.requests()[0].path, "/v1/chat/completions");
  EXPECT_EQ(Sent()["messages"][0]["content"], "hi");
  EXPECT_EQ(Sent()["max_tokens"], 1000);
  EXPECT_FALSE(Sent().contains("service_tier"));
  EXPECT_THAT(response.body, HasSubstr("event: response.output_text.delta"));
  EXPECT_THAT(response.body, HasSubstr("event: response.completed"));
  EXPECT_EQ(OnlyEntry().settle.cost_usd_nanos(), 0);
}

TEST_F(DialectTest, DialectThatNobodyTakesIsNamed) {
  StartServer();

  const http::Client::Response response =
      Post("/v1/chat/completions", R"({"model":"claude","messages":[{}]})");

  EXPECT_EQ(response.result.http_status, 400);
  EXPECT_THAT(response.body, HasSubstr("DIALECT_UNSUPPORTED"));
  EXPECT_THAT(ledger_.entries(), SizeIs(0));
}

TEST_F(DialectTest, TokensAreCountedByTheProviderForNothing) {
  endpoint_.Then([](const FakeEndpoint::Writer& writer) {
    writer->Send(200, {{"Content-Type", "application/json"}}, R"({"input_tokens":321})");
  });
  StartServer();

  const http::Client::Response counted = Post("/v1/messages/count_tokens", kMessagesBody);
  const http::Client::Response guessed =
      Post("/v1/messages/count_tokens", R"({"model":"writer","messages":[{"role":"user"}]})");

  EXPECT_EQ(counted.body, R"({"input_tokens":321})");
  EXPECT_EQ(Sent()["model"], "claude-test");
  EXPECT_FALSE(Sent().contains("max_tokens"));
  EXPECT_EQ(guessed.body, R"({"input_tokens":12})");
  EXPECT_THAT(ledger_.entries(), SizeIs(0));
}

TEST_F(DialectTest, WebSocketsAreDeclinedAndAnApiKeyHeaderIsAKey) {
  StartServer();
  http::ClientRequest socket = WireRequestTo("", "/v1/responses", "");
  socket.method = "GET";
  http::ClientRequest models = WireRequestTo("", "/v1/models/claude", "");
  models.method = "GET";
  models.headers = {{"x-api-key", IssueKey({"claude"})}};

  EXPECT_EQ(client_.Fetch(socket).result.http_status, 426);
  const http::Client::Response model = client_.Fetch(models);
  EXPECT_EQ(model.result.http_status, 200) << model.body;
  EXPECT_EQ(json::parse(model.body)["id"], "claude");
}

TEST_F(DialectTest, FirstFrameThatIsAnErrorIsRefusedLikeAnyOther) {
  endpoint_.Then(FakeEndpoint::Stream(
      {Event({{"type", "error"}, {"error", {{"type", "overloaded_error"}, {"message", "m"}}}})}));
  StartServer();

  const http::Client::Response response = Post("/v1/messages", kMessagesBody);

  EXPECT_EQ(response.result.http_status, 429);
  EXPECT_TRUE(response.headers.Has("retry-after"));
  EXPECT_EQ(OnlyEntry().reservation.state(), ledger::v1::Reservation::STATE_RELEASED);
}

TEST_F(DialectTest, ErrorAmidAStreamIsPassedOnOnceAndChargesTheHold) {
  std::vector<std::string> frames = MessageFrames();
  frames.resize(3);
  frames.push_back(
      Event({{"type", "error"}, {"error", {{"type", "overloaded_error"}, {"message", "m"}}}}));
  endpoint_.Then(FakeEndpoint::Stream(frames));
  StartServer();

  const http::Client::Response response = Post("/v1/messages", kMessagesBody);

  EXPECT_EQ(response.body, Joined(frames));
  EXPECT_TRUE(OnlyEntry().settle.outcome_unknown());
  EXPECT_EQ(Post("/v1/messages", kMessagesBody).result.http_status, 429);  // The gate is closed.
}

TEST_F(DialectTest, StreamThatIsCutEndsWithAnErrorInTheDialect) {
  std::vector<std::string> frames = MessageFrames();
  frames.resize(3);
  endpoint_.Then(FakeEndpoint::Cut(frames));
  StartServer();

  const http::Client::Response response = Post("/v1/messages", kMessagesBody);

  EXPECT_THAT(response.body, HasSubstr("event: error\ndata: {"));
  EXPECT_THAT(response.body, HasSubstr("OUTCOME_UNKNOWN"));
  EXPECT_TRUE(OnlyEntry().settle.outcome_unknown());
}

// Every fault of the provider, in every dialect, against the provider's own books: what is recorded
// is never below what was billed, and equal where it could be known.
struct FaultCase {
  const char* name;
  const char* fault;
  bool exact;  // Without the books.
};
class DialectFaults : public DialectTest, public ::testing::WithParamInterface<FaultCase> {};

TEST_P(DialectFaults, AreNeverChargedBelowTheBill) {
  WriteScript(
      absl::StrCat(R"({"reply":"0123456789","chunk_bytes":2,"usage":{"input":70,"output":9},)",
                   GetParam().fault, "}"));
  StartServer();
  const std::pair<const char*, const char*> asked[] = {
      {"/v1/chat/completions", R"({"model":"writer","stream":true,"messages":[{"role":"user"}]})"},
      {"/v1/responses", R"({"model":"writer","stream":true,"input":[{"role":"user"}]})"},
      {"/v1/messages", R"({"model":"writer","stream":true,"max_tokens":500,"messages":[{}]})"}};

  for (const auto& [path, body] : asked) Post(path, body);

  EXPECT_EQ(ledger_.entries().size(), 3u);
  for (const json& line : Books()) {
    const FakeLedger::Entry entry = ledger_.AwaitEnd(line["call_id"].get<std::string>());
    EXPECT_EQ(entry.reservation.state(), ledger::v1::Reservation::STATE_SETTLED);
    EXPECT_EQ(entry.reservation.settled().usd_nanos(), 70 * 1'000 + 9 * 4'000);
  }
  EXPECT_EQ(Books().size(), GetParam().exact ? 3u : 0u);
}

INSTANTIATE_TEST_SUITE_P(
    , DialectFaults,
    ::testing::Values(FaultCase{"None", R"("comment":"")", true},
                      FaultCase{"Cut", R"("fault":{"kind":"drop","after_bytes":4})", true},
                      FaultCase{"CutBeforeAnything", R"("fault":{"kind":"drop"})", true},
                      FaultCase{"NoUsage", R"("fault":{"kind":"no_usage"})", true},
                      FaultCase{"UsageTwice", R"("fault":{"kind":"usage_twice"})", true},
                      FaultCase{"UsageInError",
                                R"("fault":{"kind":"usage_in_error","after_bytes":4,"status":500})",
                                true},
                      FaultCase{"ErrorAmid",
                                R"("fault":{"kind":"stream_error","after_bytes":4,"status":500})",
                                true},
                      FaultCase{"Refused", R"("fault":{"kind":"http_error","status":400})", false}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(DialectTest, ToolsOfTheScriptReachEachDialectsAgents) {
  WriteScript(R"({"reply":"doing","tool_calls":[{"name":"edit","arguments":{"path":"a"}}]})");
  StartServer();

  const json chat = json::parse(
      Post("/v1/chat/completions", R"({"model":"writer","messages":[{"role":"user"}]})").body);
  const json responses =
      json::parse(Post("/v1/responses", R"({"model":"writer","input":[{"role":"user"}]})").body);
  const json messages = json::parse(
      Post("/v1/messages", R"({"model":"writer","max_tokens":500,"messages":[{}]})").body);

  EXPECT_EQ(chat["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "edit");
  EXPECT_EQ(responses["output"][1]["name"], "edit");
  EXPECT_EQ(messages["content"][1]["input"]["path"], "a");
}

TEST_F(DialectTest, SlowReaderMakesTheProviderWait) {
  // More than the buffers on the way hold; the agent reads nothing until it is told to.
  constexpr int kFrames = 4'000;
  const std::string text(1'000, 'x');
  endpoint_.Then([&](const FakeEndpoint::Writer& writer) {
    writer->Start(200, {{"Content-Type", "text/event-stream"}});
    std::string all;
    for (int i = 0; i < kFrames; ++i) all += FakeEndpoint::Text(text);
    all += FakeEndpoint::Stop() + FakeEndpoint::Usage(1, 0, 1) + FakeEndpoint::Done();
    writer->Write(all);
    writer->Finish();
  });
  StartServer();
  base::Mutex mutex;
  base::CondVar changed;
  bool paused = false;
  bool released = false;
  bool done = false;
  size_t received = 0;
  http::ClientCallbacks callbacks;
  callbacks.on_data = [&](absl::string_view chunk) {
    base::MutexLock lock(mutex);
    if (!released) {
      paused = true;
      changed.NotifyAll();
      return http::ClientCallbacks::Flow::kPause;
    }
    received += chunk.size();
    return http::ClientCallbacks::Flow::kContinue;
  };
  callbacks.on_done = [&](const http::ClientResult&) {
    base::MutexLock lock(mutex);
    done = true;
    changed.NotifyAll();
  };
  const auto handle =
      client_.Start(ChatRequest(IssueKey(), "chat", R"("stream":true)"), std::move(callbacks));
  {
    base::MutexLock lock(mutex);
    while (!paused) changed.Wait(mutex);
    released = true;
  }

  handle->Resume();

  base::MutexLock lock(mutex);
  while (!done) changed.Wait(mutex);
  EXPECT_GT(received, kFrames * text.size());
}

}  // namespace
}  // namespace slipway::models
