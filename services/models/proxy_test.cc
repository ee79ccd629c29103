#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "lib/rpc/failure.h"
#include "services/models/domain/errors.h"
#include "services/models/proxy/wire_reply.h"
#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using ledger::v1::Reservation;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using testkit::FailsWithReason;

class ProxyTest : public ServerFixture {
 protected:
  static nlohmann::json Json(const http::Client::Response& response) {
    return nlohmann::json::parse(response.body, nullptr, false);
  }
  static std::string ErrorCode(const http::Client::Response& response) {
    return Json(response)["error"].value("code", "");
  }
  // The events of a stream.
  static std::vector<std::string> Frames(const std::string& body) {
    std::vector<std::string> frames;
    http::SseParser parser;
    EXPECT_OK(parser.Feed(body, [&](http::SseEvent event) { frames.push_back(event.data); }));
    return frames;
  }
};

TEST_F(ProxyTest, AnswersWholeCompletion) {
  StartServer();

  const http::Client::Response response = Chat(IssueKey(), "writer");

  ASSERT_EQ(response.result.http_status, 200) << response.body;
  const nlohmann::json body = Json(response);
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["model"], "script-1");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "Hello, world");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(body["usage"]["prompt_tokens"], 10);
  EXPECT_EQ(body["usage"]["completion_tokens"], 20);
  const std::string call(response.headers.Get("x-slipway-call"));
  EXPECT_EQ(response.headers.Get("x-slipway-output-tokens-max"), "16000");
  const FakeLedger::Entry entry = ledger_.AwaitEnd(call);
  EXPECT_EQ(entry.request.scopes().attempt(), kAttempt);
  EXPECT_EQ(entry.request.scopes().task(), "projects/p/plans/n/tasks/parse");
  EXPECT_EQ(entry.reservation.settled().usd_nanos(), 90'000);
}

TEST_F(ProxyTest, StreamsChunksWithUsageWhenAsked) {
  WriteScript(R"({"reply":"Hello, world","chunk_bytes":5,"usage":{"input":10,"output":20}})");
  StartServer();

  const http::Client::Response response =
      Chat(IssueKey(), "writer", R"("stream":true,"stream_options":{"include_usage":true})");

  ASSERT_EQ(response.result.http_status, 200) << response.body;
  const std::vector<std::string> frames = Frames(response.body);
  ASSERT_GE(frames.size(), 5u);
  EXPECT_EQ(frames.back(), "[DONE]");
  std::string text;
  for (size_t i = 0; i + 1 < frames.size(); ++i) {
    const auto chunk = nlohmann::json::parse(frames[i]);
    if (chunk["choices"].empty()) continue;
    text += chunk["choices"][0]["delta"].value("content", "");
  }
  EXPECT_EQ(text, "Hello, world");
  EXPECT_EQ(nlohmann::json::parse(frames[frames.size() - 2])["usage"]["total_tokens"], 30);
}

TEST_F(ProxyTest, PassesTextOnWhileTheReplyIsUnderWay) {
  endpoint_.Then(endpoint_.Hang({FakeEndpoint::Text("early")}));
  StartServer();
  base::Mutex mutex;
  base::CondVar changed;
  std::string received;
  http::ClientCallbacks callbacks;
  callbacks.on_data = [&](absl::string_view chunk) {
    base::MutexLock lock(mutex);
    received.append(chunk.data(), chunk.size());
    changed.NotifyAll();
    return http::ClientCallbacks::Flow::kContinue;
  };
  callbacks.on_done = [](const http::ClientResult&) {};
  std::unique_ptr<http::Client::Handle> handle =
      client_.Start(ChatRequest(IssueKey(), "chat", R"("stream":true)"), std::move(callbacks));
  {
    base::MutexLock lock(mutex);
    while (received.find("early") == std::string::npos) changed.Wait(mutex);
  }

  handle.reset();

  endpoint_.AwaitDisconnect();
  EXPECT_TRUE(ledger_.AwaitEnd(Calls()[0].call_id()).settle.outcome_unknown());
}

TEST_F(ProxyTest, ForwardsOtherFieldsAndLowersTheOutput) {
  endpoint_.Then([](const FakeEndpoint::Writer& writer) {
    writer->Send(200, {{"Content-Type", "application/json"}},
                 R"({"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],)"
                 R"("usage":{"prompt_tokens":1,"completion_tokens":1}})");
  });
  StartServer();

  const http::Client::Response response =
      Chat(IssueKey(), "chat",
           R"("temperature":0.5,"max_tokens":77,"service_tier":"priority","user":"u")");

  ASSERT_EQ(response.result.http_status, 200) << response.body;
  const auto sent = nlohmann::json::parse(endpoint_.requests()[0].body);
  EXPECT_EQ(sent["temperature"], 0.5);
  EXPECT_EQ(sent["user"], "u");
  EXPECT_EQ(sent["max_tokens"], 77);
  EXPECT_EQ(sent["service_tier"], "default");
  EXPECT_EQ(sent["model"], "gpt-test");
}

TEST_F(ProxyTest, DeniedBudgetIs402AndMustNotBeRetried) {
  ledger_.SetLimit(1);
  StartServer();

  const http::Client::Response response = Chat(IssueKey(), "chat");

  EXPECT_EQ(response.result.http_status, 402);
  EXPECT_EQ(response.headers.Get("x-should-retry"), "false");
  EXPECT_EQ(ErrorCode(response), "insufficient_quota");
  EXPECT_THAT(endpoint_.requests(), SizeIs(0));
}

TEST_F(ProxyTest, MoneyHeldBySiblingsIs429WithRetryAfter) {
  endpoint_.Then(endpoint_.Hang({FakeEndpoint::Text("part")}));
  // The whole of one call at its worst, and less than the least of a second one.
  ledger_.SetLimit(41 * 1'000 + 1'000 * 4'000 + 10);
  StartServer();
  grpc::ClientContext context;
  const auto reader = stub_->Generate(&context, Request("call-1", "chat"));
  v1::GenerateResponse part;
  ASSERT_TRUE(reader->Read(&part));

  const http::Client::Response response = Chat(IssueKey(), "writer");

  EXPECT_EQ(response.result.http_status, 429);
  EXPECT_EQ(response.headers.Get("retry-after"), "5");
  EXPECT_EQ(ErrorCode(response), "budget_busy");
  context.TryCancel();
  reader->Finish();
}

TEST_F(ProxyTest, ClosedGateIs429WithItsTime) {
  endpoint_.Then(FakeEndpoint::Fail(429, {{"retry-after", "30"}}, "rate_limit_exceeded"));
  StartServer();

  const http::Client::Response response = Chat(IssueKey(), "chat");

  EXPECT_EQ(response.result.http_status, 429);
  EXPECT_EQ(response.headers.Get("retry-after"), "30");
  EXPECT_EQ(ErrorCode(response), "rate_limit_exceeded");
}

TEST_F(ProxyTest, WrongKeyIs401) {
  StartServer();

  EXPECT_EQ(Chat("slpk_nonsense", "writer").result.http_status, 401);
  EXPECT_EQ(Chat("", "writer").result.http_status, 401);
  EXPECT_THAT(ledger_.entries(), SizeIs(0));
}

TEST_F(ProxyTest, RoleThatTheKeyMayNotCallIs403) {
  StartServer();

  const http::Client::Response response = Chat(IssueKey({"chat"}), "writer");

  EXPECT_EQ(response.result.http_status, 403);
  EXPECT_EQ(ErrorCode(response), "role_forbidden");
}

TEST_F(ProxyTest, RevokedKeyIsDeadAndItsCallsEnd) {
  endpoint_.Then(endpoint_.Hang({FakeEndpoint::Text("part")}));
  StartServer();
  const std::string key = IssueKey();
  base::Mutex mutex;
  base::CondVar changed;
  std::string received;
  bool done = false;
  http::ClientCallbacks callbacks;
  callbacks.on_data = [&](absl::string_view chunk) {
    base::MutexLock lock(mutex);
    received.append(chunk.data(), chunk.size());
    changed.NotifyAll();
    return http::ClientCallbacks::Flow::kContinue;
  };
  callbacks.on_done = [&](const http::ClientResult&) {
    base::MutexLock lock(mutex);
    done = true;
    changed.NotifyAll();
  };
  const std::unique_ptr<http::Client::Handle> handle =
      client_.Start(ChatRequest(key, "chat", R"("stream":true)"), std::move(callbacks));
  {
    base::MutexLock lock(mutex);
    while (received.find("part") == std::string::npos) changed.Wait(mutex);
  }
  v1::RevokeAttemptKeysRequest revoke;
  revoke.set_attempt(kAttempt);

  ASSERT_OK_AND_ASSIGN(const auto revoked,
                       rpc::CallUnary(*stub_, &Stub::RevokeAttemptKeys, revoke));

  EXPECT_EQ(revoked.revoked(), 1);
  endpoint_.AwaitDisconnect();
  base::MutexLock lock(mutex);
  while (!done) changed.Wait(mutex);
  EXPECT_THAT(received, HasSubstr("call_cancelled"));
  EXPECT_EQ(Calls()[0].outcome(), "CANCELLED");
  EXPECT_EQ(Calls()[0].reason(), "KEY_REVOKED");
  EXPECT_EQ(Chat(key, "writer").result.http_status, 401);
}

TEST_F(ProxyTest, KeysOfManyAttemptsAreMadeAndEndedInOneCallEachByItself) {
  StartServer();
  const std::string task = "projects/p/plans/n/tasks/parse/attempts/";
  v1::ChangeAttemptKeysRequest request;
  for (const std::string& attempt : {task + "1", task + "2", std::string("no attempt")}) {
    v1::IssueAttemptKeyRequest& issue = *request.add_issues();
    issue.mutable_scopes()->set_attempt(attempt);
    issue.set_epoch(1);
    issue.add_roles("writer");
    issue.mutable_lifetime()->set_seconds(3'600);
  }
  request.mutable_issues(1)->clear_roles();
  ASSERT_OK_AND_ASSIGN(const auto issued,
                       rpc::CallUnary(*stub_, &Stub::ChangeAttemptKeys, request));
  ASSERT_EQ(issued.issued_size(), 3);
  const std::string key = issued.issued(0).key().key();
  EXPECT_EQ(rpc::FromFailure(issued.issued(1).error()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(rpc::FromFailure(issued.issued(2).error()), FailsWithReason("SCOPE_INVALID"));
  EXPECT_EQ(Chat(key, "writer").result.http_status, 200);

  v1::ChangeAttemptKeysRequest revoke;
  revoke.add_revocations()->set_attempt("no attempt");
  revoke.add_revocations()->set_attempt(task + "1");
  ASSERT_OK_AND_ASSIGN(const auto revoked,
                       rpc::CallUnary(*stub_, &Stub::ChangeAttemptKeys, revoke));
  ASSERT_EQ(revoked.revoked_size(), 2);
  EXPECT_THAT(rpc::FromFailure(revoked.revoked(0).error()), FailsWithReason("SCOPE_INVALID"));
  EXPECT_EQ(revoked.revoked(1).revoked().revoked(), 1);
  EXPECT_EQ(Chat(key, "writer").result.http_status, 401);

  for (int i = 0; i < 256; ++i) revoke.add_revocations();
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::ChangeAttemptKeys, revoke),
              FailsWithReason("BATCH_TOO_LARGE"));
}

TEST_F(ProxyTest, AKeyThatIsAskedForAfterItsRevocationIsNotMade) {
  StartServer();
  v1::RevokeAttemptKeysRequest revoke;
  revoke.set_attempt(kAttempt);
  ASSERT_OK(rpc::CallUnary(*stub_, &Stub::RevokeAttemptKeys, revoke));
  v1::IssueAttemptKeyRequest issue;
  issue.mutable_scopes()->set_attempt(kAttempt);
  issue.set_epoch(1);
  issue.add_roles("writer");
  issue.mutable_lifetime()->set_seconds(3'600);

  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, issue),
              FailsWithReason("ATTEMPT_REVOKED"));

  server_.reset();
  StartServer();
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, issue),
              FailsWithReason("ATTEMPT_REVOKED"));
  issue.mutable_scopes()->set_attempt("projects/p/plans/n/tasks/parse/attempts/2");
  EXPECT_OK(rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, issue));
}

TEST_F(ProxyTest, ARequestOfAnEarlierStartThatComesLateReplacesNoKey) {
  StartServer();
  v1::IssueAttemptKeyRequest issue;
  issue.mutable_scopes()->set_attempt(kAttempt);
  issue.set_epoch(1);
  issue.add_roles("writer");
  issue.mutable_lifetime()->set_seconds(3'600);
  issue.set_generation(2);
  ASSERT_OK_AND_ASSIGN(const auto issued, rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, issue));

  issue.set_generation(1);
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, issue),
              FailsWithReason("KEY_SUPERSEDED"));
  EXPECT_EQ(Chat(issued.key(), "writer").result.http_status, 200);

  issue.set_generation(2);
  EXPECT_OK(rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, issue)) << "a repeat replaces it";
  EXPECT_EQ(Chat(issued.key(), "writer").result.http_status, 401);
}

TEST_F(ProxyTest, LimitOfTheKeyCountsAllItsCalls) {
  StartServer();
  // A call costs 90,000; the least of one is its input's bound and 256 tokens of output.
  const auto input = static_cast<int64_t>(ChatRequest("", "writer").body.size()) + 2 * 16;
  const int64_t limit = 90'000 + input * 1'000 + 256 * 4'000 + 1;
  const std::string key = IssueKey({"writer"}, limit);

  EXPECT_EQ(Chat(key, "writer").result.http_status, 200);
  EXPECT_EQ(Chat(key, "writer").result.http_status, 200);
  const http::Client::Response third = Chat(key, "writer");

  EXPECT_EQ(third.result.http_status, 402);
  EXPECT_THAT(Books(), SizeIs(2));
  // A new key of the same attempt does not forget what was spent.
  EXPECT_EQ(Chat(IssueKey({"writer"}, limit), "writer").result.http_status, 402);
}

TEST_F(ProxyTest, ListsTheRolesOfTheKey) {
  StartServer();
  http::ClientRequest request = ChatRequest(IssueKey({"chat"}), "");
  request.method = "GET";
  request.url = "http://proxy/v1/models";
  request.body.clear();

  const http::Client::Response response = client_.Fetch(request);

  EXPECT_EQ(response.result.http_status, 200);
  EXPECT_EQ(Json(response)["data"].size(), 1u);
  EXPECT_EQ(Json(response)["data"][0]["id"], "chat");
}

TEST_F(ProxyTest, OtherPathsAre404InTheSameForm) {
  StartServer();
  http::ClientRequest request = ChatRequest("", "");
  request.url = "http://proxy/v1/embeddings";

  const http::Client::Response response = client_.Fetch(request);

  EXPECT_EQ(response.result.http_status, 404);
  EXPECT_EQ(ErrorCode(response), "path_not_found");
}

TEST_F(ProxyTest, ErrorAfterTextIsALastEventWithoutDone) {
  endpoint_.Then(FakeEndpoint::Cut({FakeEndpoint::Text("half")}));
  StartServer();

  const http::Client::Response response = Chat(IssueKey(), "chat", R"("stream":true)");

  const std::vector<std::string> frames = Frames(response.body);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(frames.back())["error"]["code"], "outcome_unknown");
  EXPECT_THAT(frames, ::testing::Not(::testing::Contains("[DONE]")));
}

struct BadBody {
  const char* name;
  const char* body;
  const char* message;
};
class ProxyRefuses : public ProxyTest, public ::testing::WithParamInterface<BadBody> {};

TEST_P(ProxyRefuses, WithWhatToDo) {
  StartServer();
  http::ClientRequest request = ChatRequest(IssueKey(), "writer");
  request.body = GetParam().body;

  const http::Client::Response response = client_.Fetch(request);

  EXPECT_EQ(response.result.http_status, 400) << response.body;
  EXPECT_THAT(response.body, HasSubstr(GetParam().message));
  EXPECT_THAT(ledger_.entries(), SizeIs(0));
}

INSTANTIATE_TEST_SUITE_P(
    , ProxyRefuses,
    ::testing::Values(
        BadBody{"NotJson", "{", "a key is missing"},
        BadBody{"NotAnObject", "[]", "not a JSON object"},
        BadBody{"NoModel", R"({"messages":[{"role":"user","content":"x"}]})", "name of a role"},
        BadBody{"NoMessages", R"({"model":"writer","messages":[]})", "missing or empty"},
        BadBody{"File",
                R"({"model":"writer","messages":[{"role":"user","content":[{"type":"file"}]}]})",
                "type \\\"file\\\""},
        BadBody{"TwoTiers",
                R"({"model":"writer","messages":[{}],"service_tier":"flex","service_tier":"x"})",
                "twice"},
        BadBody{"TwoChoices",
                R"({"model":"writer","messages":[{"role":"user","content":"x"}],"n":2})",
                "n must be 1"},
        BadBody{"NoOutput",
                R"({"model":"writer","messages":[{"role":"user","content":"x"}],"max_tokens":0})",
                "above 0"}),
    [](const auto& info) { return std::string(info.param.name); });

// Notes what it is asked to send.
class NotedWriter final : public http::ResponseWriter {
 public:
  explicit NotedWriter(std::vector<std::string>& sent) : sent_(sent) {}
  void Send(int status, http::Headers, std::string) override {
    sent_.push_back(absl::StrCat("send ", status));
  }
  void Start(int, http::Headers, std::string first) override { sent_.push_back("start " + first); }
  Accepted Write(std::string chunk, Written) override {
    sent_.push_back("write " + chunk);
    return full ? Accepted::kFull : Accepted::kTaken;
  }
  bool writable() const override { return !full; }
  void OnWritable(absl::AnyInvocable<void()> callback) override {
    on_writable = std::move(callback);
  }
  void Finish(std::string last) override { sent_.push_back("finish " + last); }
  void OnDisconnect(absl::AnyInvocable<void()>) override {}

  bool full = false;
  absl::AnyInvocable<void()> on_writable;

 private:
  std::vector<std::string>& sent_;
};

class WireReplyTest : public ::testing::Test {
 protected:
  std::vector<std::string> sent_;
  const std::shared_ptr<NotedWriter> writer_ = std::make_shared<NotedWriter>(sent_);
  const std::shared_ptr<WireReply> reply_ =
      std::make_shared<WireReply>(writer_, Dialect::kChat, /*stream=*/true);
};

TEST_F(WireReplyTest, BeginsWithTheFirstTextAndEndsWithTheLast) {
  reply_->OnText("a");
  reply_->OnText("b");
  reply_->OnLastText("c");
  reply_->OnComplete();

  EXPECT_EQ(sent_, std::vector<std::string>({"start a", "write b", "finish c"}));
}

TEST_F(WireReplyTest, LastTextAloneIsAWholeReply) {
  reply_->OnLastText("a");
  reply_->OnComplete();

  EXPECT_EQ(sent_, std::vector<std::string>({"start a", "finish "}));
}

TEST_F(WireReplyTest, LastTextThatBrokeOffIsFollowedByTheError) {
  reply_->OnLastText("a");
  reply_->End(OutcomeUnknown("call", "broken off"));

  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_EQ(sent_[0], "start a");
  EXPECT_THAT(sent_[1], ::testing::HasSubstr("OUTCOME_UNKNOWN"));
}

TEST_F(WireReplyTest, LastTextWaitsBehindWhatASlowReaderHasNoRoomFor) {
  reply_->OnText("a");
  writer_->full = true;
  reply_->OnText("b");
  reply_->OnLastText("c");
  reply_->OnComplete();
  writer_->full = false;
  sent_.clear();

  std::exchange(writer_->on_writable, nullptr)();

  EXPECT_EQ(sent_, std::vector<std::string>({"write bc", "finish "}));
}

}  // namespace
}  // namespace slipway::models
