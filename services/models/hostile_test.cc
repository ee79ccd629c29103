#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "lib/testkit/fake_clock.h"
#include "lib/testkit/memory_growth.h"
#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class HostileTest : public ServerFixture {
 protected:
  http::Client::Response Post(const std::string& key, const std::string& body) {
    return client_.Fetch(WireRequestTo(key, "/v1/chat/completions", body));
  }
};

TEST_F(HostileTest, BodyThatIsTooLargeIs413) {
  StartServer();

  const http::Client::Response response = Post(IssueKey(), std::string(9u << 20, ' '));

  EXPECT_EQ(response.result.http_status, 413);
}

TEST_F(HostileTest, DeepNestingIsRefused) {
  StartServer();

  const http::Client::Response response =
      Post(IssueKey(), R"({"model":"writer","messages":)" + std::string(2'000'000, '['));

  EXPECT_EQ(response.result.http_status, 400);
  EXPECT_THAT(response.body, HasSubstr("too deeply nested"));
  EXPECT_THAT(ledger_.entries(), SizeIs(0));
}

TEST_F(HostileTest, FloodOfHeadersIs431) {
  StartServer();
  http::ClientRequest request = WireRequestTo(IssueKey(), "/v1/messages", "{}");
  for (int i = 0; i < 2'000; ++i) request.headers.Add(absl::StrCat("x-", i), "0123456789abcdef");

  EXPECT_EQ(client_.Fetch(request).result.http_status, 431);
}

TEST_F(HostileTest, ManySmallValuesTakeNoMoreMemoryThanTheirText) {
  StartServer();
  const std::string key = IssueKey();
  std::string body = R"({"model":"writer","messages":[)";
  while (body.size() < (7u << 20)) body += "[],{},1,";
  body += "1]}";
  constexpr int kAtOnce = 8;
  const testkit::MemoryGrowth growth;
  std::vector<std::thread> threads;
  for (int i = 0; i < kAtOnce; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(Post(key, body).result.http_status, 400); });
  }
  for (std::thread& thread : threads) thread.join();

  // Client, connection and reader hold the text; a tree of it would be ten times as large.
  EXPECT_LT(growth.bytes(), static_cast<int64_t>(kAtOnce * body.size() * 5));
  EXPECT_THAT(ledger_.entries(), SizeIs(0));
}

TEST_F(HostileTest, KeyIsDeadAfterItsTime) {
  testkit::FakeClock clock;
  StartServer(clock);
  const std::string key = IssueKey();
  EXPECT_EQ(Chat(key, "writer").result.http_status, 200);

  clock.Advance(absl::Hours(1));

  EXPECT_EQ(Chat(key, "writer").result.http_status, 401);
  server_.reset();  // Before its clock.
}

TEST_F(HostileTest, KeyOfAnotherAttemptSpendsItsOwnMoney) {
  StartServer();
  const std::string own = IssueKey({"writer"});
  v1::IssueAttemptKeyRequest request;
  request.mutable_scopes()->set_attempt("projects/p/plans/n/tasks/other/attempts/1");
  request.set_epoch(1);
  request.add_roles("writer");
  request.mutable_lifetime()->set_seconds(60);
  ASSERT_OK_AND_ASSIGN(const auto other, rpc::CallUnary(*stub_, &Stub::IssueAttemptKey, request));

  EXPECT_EQ(Chat(other.key(), "writer").result.http_status, 200);

  EXPECT_EQ(Calls()[0].scopes().task(), "projects/p/plans/n/tasks/other");
}

TEST_F(HostileTest, RequestCannotRaiseItsTierOrItsLimit) {
  endpoint_.Then(FakeEndpoint::Fail(400, {}, "invalid_value"));
  StartServer();

  Chat(IssueKey(), "chat", R"("service_tier":"priority","max_completion_tokens":999999999)");

  const auto sent = nlohmann::json::parse(endpoint_.requests()[0].body);
  EXPECT_EQ(sent["service_tier"], "default");
  EXPECT_EQ(sent["max_completion_tokens"], 1'000);
}

TEST_F(HostileTest, ProvidersKeyIsInNoAnswerAndNoRecord) {
  endpoint_.Then([](const FakeEndpoint::Writer& writer) {
    writer->Send(401, {},
                 R"({"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}})");
  });
  StartServer();

  const http::Client::Response response = Chat(IssueKey(), "chat");

  EXPECT_EQ(response.result.http_status, 403);
  EXPECT_THAT(response.body, ::testing::Not(HasSubstr("provider-key")));
  EXPECT_THAT(base::ReadFile(directory_.File("models.db")).value(),
              ::testing::Not(HasSubstr("provider-key")));
}

}  // namespace
}  // namespace slipway::models
