#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <vector>

#include "lib/http/client.h"
#include "lib/http/sse_parser.h"
#include "services/gateway/testing/gateway_fixture.h"

namespace slipway::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kGetPlan[] = "/slipway.planner.v1.PlannerService/GetPlan";

class HttpTest : public GatewayTest {
 protected:
  std::string Url(const std::string& path) const {
    return absl::StrCat("http://127.0.0.1:", server_->http_port(), path);
  }
  http::Client::Response Fetch(const std::string& method, const std::string& path,
                               http::Headers headers, const std::string& body = "") {
    return client_.Fetch({.method = method,
                          .url = Url(path),
                          .headers = std::move(headers),
                          .body = body,
                          .total_timeout = absl::Seconds(20)});
  }
  http::Headers AsAdmin() const {
    return {{"Authorization", "Bearer " + admin_}, {"Content-Type", "application/json"}};
  }
  http::Client::Response Post(const std::string& path, const std::string& body) {
    return Fetch("POST", path, AsAdmin(), body);
  }
  static std::string CodeIn(const http::Client::Response& response) {
    return nlohmann::json::parse(response.body).at("code");
  }
  static std::string ReasonIn(const http::Client::Response& response) {
    return nlohmann::json::parse(response.body).at("details").at(0).at("debug").at("reason");
  }

  // Reads server-sent events until `enough` of them are messages.
  std::vector<http::SseEvent> Listen(const std::string& path, http::Headers headers, int enough) {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<http::SseEvent> messages;
    bool over = false;
    http::SseParser parser;
    auto handle = client_.Start(
        {.url = Url(path), .headers = std::move(headers), .total_timeout = absl::Seconds(20)},
        {.on_headers = [](int, const http::Headers&) {},
         .on_data =
             [&](absl::string_view chunk) {
               std::lock_guard lock(mutex);
               parser
                   .Feed(chunk,
                         [&](http::SseEvent event) {
                           if (event.event == "message") messages.push_back(std::move(event));
                         })
                   .IgnoreError();
               changed.notify_all();
               return http::ClientCallbacks::Flow::kContinue;
             },
         .on_done =
             [&](http::ClientResult) {
               std::lock_guard lock(mutex);
               over = true;
               changed.notify_all();
             }});
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return over || static_cast<int>(messages.size()) >= enough; });
    }
    handle.reset();
    return messages;
  }

  http::Client client_;
};

TEST_F(HttpTest, AUnaryMethodAnswersInJson) {
  const auto response = Post(kGetPlan, R"({"name":"projects/p/plans/n"})");

  EXPECT_EQ(response.result.http_status, 200);
  EXPECT_EQ(nlohmann::json::parse(response.body)["plan"]["name"], "projects/p/plans/n");
  EXPECT_EQ(response.headers.Get("Content-Type"), "application/json");
}

TEST_F(HttpTest, ErrorsAreJsonWithCodeReasonAndStatus) {
  const auto response = Post(kGetPlan, R"({"name":"projects/p/plans/missing"})");

  EXPECT_EQ(response.result.http_status, 404);
  EXPECT_EQ(CodeIn(response), "not_found");
  EXPECT_EQ(ReasonIn(response), "PLAN_UNKNOWN");
}

TEST_F(HttpTest, TheSameRulesOfAccessHold) {
  const http::Headers json{{"Content-Type", "application/json"}};
  EXPECT_EQ(Fetch("POST", kGetPlan, json, "{}").result.http_status, 401);
  EXPECT_EQ(ReasonIn(Fetch("POST", kGetPlan, json, "{}")), "TOKEN_MISSING");
  http::Headers viewer = json;
  viewer.Add("Authorization", "Bearer " + TokenOf(common::v1::ROLE_VIEWER));
  const auto denied = Fetch("POST", "/slipway.planner.v1.PlannerService/ApprovePlan", viewer, "{}");
  EXPECT_EQ(denied.result.http_status, 403);
  EXPECT_EQ(ReasonIn(denied), "ROLE_REQUIRED");
  EXPECT_EQ(ReasonIn(Post("/slipway.ledger.v1.LedgerService/Reserve", "{}")), "METHOD_INTERNAL");
}

TEST_F(HttpTest, WhatIsNotAUnaryCallInJsonIsRefusedByName) {
  EXPECT_EQ(ReasonIn(Post("/slipway.dispatcher.v1.DispatcherService/ReadLog", "{}")),
            "METHOD_STREAMS");
  EXPECT_EQ(ReasonIn(Post("/slipway.planner.v1.PlannerService/Fly", "{}")), "METHOD_UNKNOWN");
  EXPECT_EQ(ReasonIn(Post(kGetPlan, "{\"nmae\":1}")), "BODY_INVALID");
  EXPECT_EQ(ReasonIn(Post(kGetPlan, "{")), "BODY_INVALID");
  const auto form =
      Fetch("POST", kGetPlan,
            {{"Authorization", "Bearer " + admin_}, {"Content-Type", "text/plain"}}, "{}");
  EXPECT_EQ(form.result.http_status, 415);
  EXPECT_EQ(Post(kGetPlan, std::string(5 << 20, ' ')).result.http_status, 413);
  EXPECT_EQ(fake_planner_.calls, 0);
}

TEST_F(HttpTest, OtherHostsAndOriginsAreRefused) {
  const auto with = [&](const char* name, const std::string& value) {
    http::Headers headers = AsAdmin();
    headers.Set(name, value);
    return Fetch("POST", kGetPlan, headers, "{}");
  };
  EXPECT_EQ(ReasonIn(with("Host", "evil.example")), "HOST_FORBIDDEN");
  EXPECT_EQ(ReasonIn(with("Host", "localhost.evil.example:80")), "HOST_FORBIDDEN");
  EXPECT_EQ(ReasonIn(with("Origin", "https://evil.example")), "ORIGIN_FORBIDDEN");
  EXPECT_EQ(ReasonIn(with("Origin", "null")), "ORIGIN_FORBIDDEN");
  EXPECT_EQ(with("Host", "localhost:80").result.http_status, 200);
  EXPECT_EQ(with("Origin", Url("")).result.http_status, 200);
  const auto allowed = with("Origin", "https://board.example");
  EXPECT_EQ(allowed.result.http_status, 200);
  EXPECT_EQ(allowed.headers.Get("Access-Control-Allow-Origin"), "https://board.example");
}

TEST_F(HttpTest, SigningInSetsACookieThatScriptsCannotReadAndWorksOnce) {
  StopGateway();
  ASSERT_OK(base::WriteFileAtomic(directory_.File("one-time.token"), "open-sesame"));
  StartGateway();
  const http::Headers json{{"Content-Type", "application/json"}};
  const auto login = Fetch("POST", "/v1/login", json, R"({"one_time_token":"open-sesame"})");

  ASSERT_EQ(login.result.http_status, 200) << login.body;
  const std::string cookie(login.headers.Get("Set-Cookie"));
  EXPECT_THAT(cookie, HasSubstr("HttpOnly"));
  EXPECT_THAT(cookie, HasSubstr("SameSite=Strict"));
  http::Headers session = json;
  session.Add("Cookie", "a=b; " + cookie.substr(0, cookie.find(';')));
  EXPECT_EQ(Fetch("POST", kGetPlan, session, "{}").result.http_status, 200);
  EXPECT_EQ(ReasonIn(Fetch("POST", "/v1/login", json, R"({"one_time_token":"open-sesame"})")),
            "TOKEN_INVALID");
  EXPECT_EQ(ReasonIn(Fetch("POST", "/v1/login", json, "[]")), "BODY_INVALID");
}

TEST_F(HttpTest, EventsStreamAndGoOnAfterTheLastEventId) {
  for (int i = 0; i < 3; ++i) planner_.Append("plan.revised");
  http::Headers headers{{"Authorization", "Bearer " + admin_}};
  const auto first = Listen("/v1/events?logs=planner", headers, 3);
  ASSERT_EQ(first.size(), 3);
  EXPECT_EQ(nlohmann::json::parse(first[2].data)["sequence"], "3");
  ASSERT_FALSE(first[2].id.empty());

  planner_.Append("plan.revised");
  headers.Add("Last-Event-ID", first[2].id);
  const auto second = Listen("/v1/events?logs=planner", headers, 1);

  ASSERT_GE(second.size(), 1);
  EXPECT_EQ(nlohmann::json::parse(second[0].data)["sequence"], "4");
  const auto by_query = Listen("/v1/events?logs=planner&resume_token=" + first[2].id,
                               {{"Authorization", "Bearer " + admin_}}, 1);
  ASSERT_GE(by_query.size(), 1);
  EXPECT_EQ(nlohmann::json::parse(by_query[0].data)["sequence"], "4");
}

TEST_F(HttpTest, ATicketOpensAStreamWithoutAHeader) {
  planner_.Append("plan.revised");
  const auto ticket = Post("/v1/tickets", "");
  ASSERT_EQ(ticket.result.http_status, 200);
  const std::string text = nlohmann::json::parse(ticket.body)["ticket"];

  EXPECT_EQ(Listen("/v1/events?logs=planner&ticket=" + text, {}, 1).size(), 1);
  EXPECT_EQ(ReasonIn(Fetch("GET", "/v1/events?ticket=wrong", {})), "TOKEN_INVALID");
  EXPECT_EQ(ReasonIn(Fetch("GET", "/v1/events", {})), "TOKEN_MISSING");
  EXPECT_EQ(ReasonIn(Fetch("POST", "/v1/tickets", {})), "TOKEN_MISSING");
}

TEST_F(HttpTest, AStreamThatCannotBeginIsAnHttpError) {
  const http::Headers headers{{"Authorization", "Bearer " + admin_}};

  const auto response = Fetch("GET", "/v1/events?resume_token=nonsense", headers);

  EXPECT_EQ(response.result.http_status, 400);
  EXPECT_EQ(ReasonIn(response), "RESUME_TOKEN_INVALID");
}

TEST_F(HttpTest, ThePageIsSelfContained) {
  const auto page = Fetch("GET", "/", {});

  EXPECT_EQ(page.result.http_status, 200);
  EXPECT_THAT(std::string(page.headers.Get("Content-Security-Policy")),
              HasSubstr("default-src 'none'"));
  EXPECT_THAT(page.body, Not(HasSubstr("http")));
  EXPECT_EQ(Fetch("GET", "/page.js", {}).result.http_status, 200);
  EXPECT_EQ(Fetch("GET", "/page.css", {}).result.http_status, 200);
  EXPECT_EQ(Fetch("GET", "/healthz", {}).result.http_status, 200);
}

}  // namespace
}  // namespace slipway::gateway
