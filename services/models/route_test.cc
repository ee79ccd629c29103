#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "services/models/settings.h"
#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testkit::FailsWithReason;

class RouteTest : public ServerFixture {
 protected:
  v1::ExplainRouteResponse Explain(const v1::ExplainRouteRequest& request) {
    return rpc::CallUnary(*stub_, &Stub::ExplainRoute, request).value();
  }
  absl::StatusOr<v1::ApproveCallsResponse> Approve(const std::string& id, int calls,
                                                   const std::string& scope = "projects/p") {
    v1::ApproveCallsRequest request;
    request.set_request_id(id);
    request.set_scope(scope);
    request.set_role("approved");
    request.set_calls(calls);
    request.mutable_lifetime()->set_seconds(60);
    return rpc::CallUnary(*stub_, &Stub::ApproveCalls, request);
  }
};

TEST_F(RouteTest, ExplainsTheRouteThatACallWouldGet) {
  endpoint_.Then(FakeEndpoint::Fail(429, {{"retry-after", "3600"}}, "rate_limit_exceeded"));
  StartServer();
  EXPECT_FALSE(Generate(Request("call-1", "chat")).ok());
  v1::ExplainRouteRequest request;
  request.set_role("both");

  const v1::ExplainRouteResponse answer = Explain(request);

  EXPECT_EQ(answer.role(), "both");
  ASSERT_EQ(answer.routes_size(), 2);
  EXPECT_FALSE(answer.routes(0).usable());
  EXPECT_EQ(answer.routes(0).reason(), "GATE_CLOSED");
  EXPECT_TRUE(answer.routes(1).usable());
}

TEST_F(RouteTest, ALongerContextThanTheRouteAllowsIsRefusedBeforeAnythingIsHeld) {
  config_ = absl::StrReplaceAll(ConfigText(), {{"role: writer, provider: scripted,",
                                                "role: writer, context_characters_max: 100, "
                                                "provider: scripted,"}});
  StartServer();
  const std::string key = IssueKey();

  // 100 characters of two bytes each pass.
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "é";
  EXPECT_OK(Generate(Request("call-1", "writer", wide)));
  EXPECT_THAT(Generate(Request("call-2", "writer", wide + "a")),
              FailsWithReason("PROMPT_TOO_LARGE"));
  const http::Client::Response refused = Chat(key, "writer", R"("user":")" + wide + "\"");
  EXPECT_EQ(refused.result.http_status, 400);
  EXPECT_THAT(refused.body, HasSubstr("context_characters_max"));

  EXPECT_THAT(ledger_.entries(), ::testing::SizeIs(1));
}

TEST_F(RouteTest, TellsHowFarBoundsAreAndHoldsByItWhereARouteSaysSo) {
  config_ = absl::StrReplaceAll(ConfigText(), {{"role: writer, provider: scripted,",
                                                "role: writer, calibrated_holds: true, "
                                                "provider: scripted,"}});
  StartServer();
  const std::string prompt(1'000, 'a');
  constexpr int64_t kBound = 1'000 + 2 * 16;
  const auto held = [this](const std::string& call) {
    return ledger_.entries().at(call).request.amounts().tokens() - 16'000;
  };
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(Generate(Request(absl::StrCat("call-", i), "writer", prompt)));
  }
  EXPECT_EQ(held("call-0"), kBound);
  EXPECT_EQ(held("call-49"), kBound);
  server_.reset();
  StartServer();

  ASSERT_OK(Generate(Request("next", "writer", prompt)));

  // Ten tokens of 1,032 are 9.7 per mille, so 10; a quarter more is 12.
  EXPECT_EQ(held("next"), (kBound * 12 + 999) / 1'000 + 16);
  ASSERT_OK_AND_ASSIGN(const v1::ListRoutesResponse list,
                       rpc::CallUnary(*stub_, &Stub::ListRoutes, v1::ListRoutesRequest()));
  ASSERT_EQ(list.calibrations_size(), 1);
  EXPECT_EQ(list.calibrations(0).provider(), "scripted");
  EXPECT_EQ(list.calibrations(0).content(), "prose");
  EXPECT_EQ(list.calibrations(0).calls(), 51);
  EXPECT_EQ(list.calibrations(0).bound_tokens(), 51 * kBound);
  EXPECT_EQ(list.calibrations(0).counted_tokens(), 51 * 10);
  EXPECT_EQ(list.calibrations(0).worst_per_mille(), 10);
}

TEST_F(RouteTest, ExplainsTheRouteThatACallGot) {
  endpoint_.Then(FakeEndpoint::Fail(500, {}, "server_error"));
  StartServer();
  ASSERT_OK(Generate(Request("call-1", "both")));
  v1::ExplainRouteRequest request;
  request.set_call("calls/call-1~3");

  const v1::ExplainRouteResponse answer = Explain(request);

  ASSERT_EQ(answer.tries_size(), 3);
  EXPECT_EQ(answer.tries(0).provider(), "openai");
  EXPECT_EQ(answer.tries(2).provider(), "scripted");
  EXPECT_THAT(answer.tries(2).route_reasons(0), HasSubstr("passed over"));
  request.set_call("nothing");
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::ExplainRoute, request),
              FailsWithReason("CALL_UNKNOWN"));
}

TEST_F(RouteTest, RoleIsChosenByTraitsAndTheReasonsAreKept) {
  StartServer();
  v1::GenerateRequest request = Request("call-1", "");
  request.set_intent("judge");
  request.mutable_traits()->set_escalation_depth(2);

  ASSERT_OK(Generate(request));

  const v1::Call call = Calls()[0];
  EXPECT_EQ(call.scopes().role(), "emergency_pro_reviewer");
  EXPECT_THAT(call.route_reasons(),
              ElementsAre("role emergency_pro_reviewer: \"judge\" diagnoses or judges",
                          "role emergency_pro_reviewer: it has failed 2 times",
                          HasSubstr("first that can serve")));
}

TEST_F(RouteTest, ApprovalLetsAsManyCallsPassAsItSays) {
  StartServer();
  EXPECT_THAT(Generate(Request("call-1", "approved")), FailsWithReason("APPROVAL_REQUIRED"));

  ASSERT_OK(Approve("request-1", 2));
  ASSERT_OK(Approve("request-1", 2));  // A repeat adds none.

  ASSERT_OK(Generate(Request("call-1", "approved")));
  ASSERT_OK(Generate(Request("call-2", "approved")));
  EXPECT_THAT(Generate(Request("call-3", "approved")), FailsWithReason("APPROVAL_REQUIRED"));
  EXPECT_THAT(Calls()[0].route_reasons(0), HasSubstr("approved by a person"));
}

TEST_F(RouteTest, ApprovalIsForItsScopeAlone) {
  StartServer();
  ASSERT_OK(Approve("request-1", 2, "projects/other"));

  EXPECT_THAT(Generate(Request("call-1", "approved")), FailsWithReason("APPROVAL_REQUIRED"));
  EXPECT_THAT(Approve("request-2", 0), FailsWithReason("LIMIT_INVALID"));
  EXPECT_THAT(Approve("request-3", 1, "everything"), FailsWithReason("SCOPE_INVALID"));
  EXPECT_THAT(Approve("", 1), FailsWithReason("REQUEST_ID_REQUIRED"));
}

absl::StatusOr<RouteTable> Routes(const std::string& route) {
  const auto config = config::Parse<config::v1::ModelsConfig>(
      absl::StrCat("providers:\n  - {name: s, scripted: {script: x}}\nroutes:\n  - {role: r, "
                   "provider: s, model: m, ",
                   route, "}\n"),
      "test.yaml");
  EXPECT_OK(config);
  return MakeRoutes(*config);
}

TEST(RouteSettingsTest, FlexFallsBackToDefaultUnlessItMayNot) {
  ASSERT_OK_AND_ASSIGN(const RouteTable table, Routes("service_tier: flex"));
  ASSERT_EQ(table.routes().size(), 2u);
  EXPECT_EQ(table.routes()[0].service_tier, "flex");
  EXPECT_EQ(table.routes()[1].service_tier, "default");
  ASSERT_OK_AND_ASSIGN(const RouteTable only, Routes("service_tier: flex, flex_only: true"));
  EXPECT_EQ(only.routes().size(), 1u);
}

TEST(RouteSettingsTest, PriorityNeedsConsent) {
  EXPECT_THAT(Routes("service_tier: priority"), FailsWithReason("CONFIG_INVALID"));
  EXPECT_OK(Routes("service_tier: priority, allow_priority: true"));
}

}  // namespace
}  // namespace slipway::models
