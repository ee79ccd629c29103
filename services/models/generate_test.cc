#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "lib/testkit/fake_clock.h"
#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using ledger::v1::Reservation;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using testkit::FailsWithReason;

class GenerateTest : public ServerFixture {};

TEST_F(GenerateTest, StreamsTextAndSettlesByTheProvidersUsage) {
  StartServer();

  ASSERT_OK_AND_ASSIGN(const Generated generated, Generate(Request("call-1", "writer")));

  EXPECT_EQ(generated.text, "Hello, world");
  EXPECT_EQ(generated.outcome.provider(), "scripted");
  EXPECT_EQ(generated.outcome.tokens().input(), 10);
  EXPECT_EQ(generated.outcome.tokens().output(), 20);
  EXPECT_EQ(generated.outcome.cost_usd_nanos(), 10 * 1'000 + 20 * 4'000);
  EXPECT_EQ(generated.outcome.finish_reason(), "stop");
  const FakeLedger::Entry entry = ledger_.entries().at("call-1");
  EXPECT_EQ(entry.reservation.state(), Reservation::STATE_SETTLED);
  EXPECT_EQ(entry.request.kind(), Reservation::KIND_CALL);
  EXPECT_EQ(entry.request.scopes().role(), "writer");
  EXPECT_GE(entry.request.amounts().tokens(), 16'000 + 9);
  ASSERT_THAT(Calls(), SizeIs(1));
  EXPECT_EQ(Calls()[0].outcome(), "OK");
  EXPECT_EQ(Calls()[0].cost_usd_nanos(), 90'000);
  ASSERT_THAT(Events(), SizeIs(1));
  EXPECT_EQ(Events()[0].kind(), "call.finished");
  EXPECT_EQ(Events()[0].payload().call_finished().outcome(), "OK");
}

TEST_F(GenerateTest, RatesAreAskedOnceInAWhileAndBoundEverySizeExactly) {
  testkit::FakeClock clock;
  StartServer(clock);

  ASSERT_OK(Generate(Request("call-1", "writer", std::string(100, 'x'))));
  ASSERT_OK(Generate(Request("call-2", "writer", std::string(3'333, 'x'))));

  EXPECT_EQ(ledger_.quotes(), 1);
  const auto held = [this](const char* call) {
    return ledger_.entries().at(call).request.amounts().usd_nanos();
  };
  EXPECT_EQ(held("call-1"), (100 + 32) * 1'000 + 16'000 * 4'000);
  EXPECT_EQ(held("call-2"), (3'333 + 32) * 1'000 + 16'000 * 4'000);
  clock.Advance(absl::Seconds(2));
  ASSERT_OK(Generate(Request("call-3", "writer")));
  EXPECT_EQ(ledger_.quotes(), 2);
  server_.reset();  // It refers to the clock.
}

TEST_F(GenerateTest, SpeaksOpenAisDialectUpstream) {
  endpoint_.Then(FakeEndpoint::Stream({FakeEndpoint::Text("Good "), FakeEndpoint::Text("day"),
                                       FakeEndpoint::Stop(), FakeEndpoint::Usage(100, 40, 7),
                                       FakeEndpoint::Done()}));
  StartServer();

  ASSERT_OK_AND_ASSIGN(const Generated generated, Generate(Request("call-1", "chat")));

  EXPECT_EQ(generated.text, "Good day");
  EXPECT_EQ(generated.outcome.tokens().input(), 60);
  EXPECT_EQ(generated.outcome.tokens().cache_read(), 40);
  EXPECT_EQ(generated.outcome.tokens().output(), 7);
  ASSERT_THAT(endpoint_.requests(), SizeIs(1));
  EXPECT_EQ(endpoint_.requests()[0].headers.Get("authorization"), "Bearer provider-key");
  const auto body = nlohmann::json::parse(endpoint_.requests()[0].body);
  EXPECT_EQ(body["model"], "gpt-test");
  EXPECT_EQ(body["stream"], true);
  EXPECT_EQ(body["stream_options"]["include_usage"], true);
  EXPECT_EQ(body["max_completion_tokens"], 1'000);
  EXPECT_EQ(body["service_tier"], "default");
}

TEST_F(GenerateTest, RepeatIsAnsweredFromTheRecord) {
  StartServer();
  ASSERT_OK_AND_ASSIGN(const Generated first, Generate(Request("call-1", "writer")));

  ASSERT_OK_AND_ASSIGN(const Generated second, Generate(Request("call-1", "writer")));

  EXPECT_EQ(second.text, first.text);
  EXPECT_EQ(second.outcome.SerializeAsString(), first.outcome.SerializeAsString());
  EXPECT_THAT(Books(), SizeIs(1));
}

TEST_F(GenerateTest, RepeatWhileTheFirstIsUnderWayMakesNoSecondCall) {
  WriteScript(R"({"reply":"Hello, world","latency_ms":50})");
  StartServer();
  absl::StatusOr<Generated> other;
  std::thread thread([&] { other = Generate(Request("call-1", "writer")); });

  const absl::StatusOr<Generated> one = Generate(Request("call-1", "writer"));
  thread.join();

  ASSERT_OK(one);
  ASSERT_OK(other);
  EXPECT_EQ(one->text, "Hello, world");
  EXPECT_EQ(other->text, "Hello, world");
  EXPECT_THAT(Books(), SizeIs(1));
}

TEST_F(GenerateTest, ReplyThatUsesUpALimitClosesTheGateUntilItsReset) {
  endpoint_.Then([](const FakeEndpoint::Writer& writer) {
    writer->Start(200, {{"Content-Type", "text/event-stream"},
                        {"x-ratelimit-remaining-requests", "0"},
                        {"x-ratelimit-reset-requests", "1m0s"}});
    for (const std::string& frame : {FakeEndpoint::Text("x"), FakeEndpoint::Stop(),
                                     FakeEndpoint::Usage(1, 0, 1), FakeEndpoint::Done()}) {
      writer->Write(frame);
    }
    writer->Finish();
  });
  StartServer();

  EXPECT_OK(Generate(Request("call-1", "chat")));

  EXPECT_THAT(Generate(Request("call-2", "chat")), FailsWithReason("GATE_CLOSED"));
  EXPECT_THAT(endpoint_.requests(), SizeIs(1));
}

TEST_F(GenerateTest, RefusesACallIdOfAnotherRequest) {
  StartServer();
  ASSERT_OK(Generate(Request("call-1", "writer")));

  EXPECT_THAT(Generate(Request("call-1", "writer", "Something else")),
              FailsWithReason("CALL_ID_REUSED"));
}

TEST_F(GenerateTest, DeniedBudgetSendsNothing) {
  ledger_.SetLimit(1);
  StartServer();

  const absl::StatusOr<Generated> generated = Generate(Request("call-1", "chat"));

  EXPECT_THAT(generated, FailsWithReason("BUDGET_DENIED"));
  EXPECT_EQ(base::DetailOf(generated.status())->metadata.at("cause"), "LIMIT");
  EXPECT_EQ(base::DetailOf(generated.status())->metadata.at("budget"), "budgets/b1");
  EXPECT_THAT(endpoint_.requests(), SizeIs(0));
  ASSERT_THAT(Calls(), SizeIs(1));
  EXPECT_EQ(Calls()[0].outcome(), "REFUSED");
}

TEST_F(GenerateTest, MissingPriceSendsNothing) {
  ledger_.SetPriceKnown(false);
  StartServer();

  const absl::StatusOr<Generated> generated = Generate(Request("call-1", "writer"));

  EXPECT_THAT(generated, FailsWithReason("BUDGET_DENIED"));
  EXPECT_EQ(base::DetailOf(generated.status())->metadata.at("cause"), "NO_PRICE");
  EXPECT_THAT(Books(), SizeIs(0));
}

TEST_F(GenerateTest, LowersTheOutputToWhatWasGranted) {
  endpoint_.Then(FakeEndpoint::Stream({FakeEndpoint::Text("x"), FakeEndpoint::Stop(),
                                       FakeEndpoint::Usage(1, 0, 1), FakeEndpoint::Done()}));
  // The prompt's bound is 9 bytes and 2 x 16 tokens; 500 tokens of output cost 2,000,000.
  ledger_.SetLimit(41 * 1'000 + 500 * 4'000);
  StartServer();

  ASSERT_OK(Generate(Request("call-1", "chat")));

  EXPECT_EQ(nlohmann::json::parse(endpoint_.requests()[0].body)["max_completion_tokens"], 500);
}

TEST_F(GenerateTest, UnreachableLedgerSendsNothing) {
  ledger_.GoAway();
  StartServer();

  EXPECT_THAT(Generate(Request("call-1", "chat")), FailsWithReason("LEDGER_UNAVAILABLE"));
  EXPECT_THAT(endpoint_.requests(), SizeIs(0));
}

TEST_F(GenerateTest, SettlementIsOwedUntilTheLedgerIsBack) {
  endpoint_.Then([this](const FakeEndpoint::Writer& writer) {
    ledger_.GoAway();
    FakeEndpoint::Stream({FakeEndpoint::Text("x"), FakeEndpoint::Stop(),
                          FakeEndpoint::Usage(3, 0, 5), FakeEndpoint::Done()})(writer);
  });
  StartServer();

  ASSERT_OK_AND_ASSIGN(const Generated generated, Generate(Request("call-1", "chat")));
  EXPECT_EQ(generated.text, "x");
  ledger_.Serve();

  const FakeLedger::Entry entry = ledger_.AwaitEnd("call-1");
  EXPECT_EQ(entry.reservation.settled().usd_nanos(), 3 * 1'000 + 5 * 4'000);
}

TEST_F(GenerateTest, OwedSettlementSurvivesARestart) {
  endpoint_.Then([this](const FakeEndpoint::Writer& writer) {
    ledger_.GoAway();
    FakeEndpoint::Stream({FakeEndpoint::Text("x"), FakeEndpoint::Stop(),
                          FakeEndpoint::Usage(3, 0, 5), FakeEndpoint::Done()})(writer);
  });
  StartServer();
  ASSERT_OK(Generate(Request("call-1", "chat")));
  server_.reset();
  ledger_.Serve();

  StartServer();

  const FakeLedger::Entry entry = ledger_.AwaitEnd("call-1");
  EXPECT_EQ(entry.reservation.settled().usd_nanos(), 3 * 1'000 + 5 * 4'000);
  ledger_.AwaitClosedOwners(1);
  EXPECT_EQ(ledger_.closed_owners()[0], entry.request.owner());
}

TEST_F(GenerateTest, CutStreamChargesTheWholeHold) {
  endpoint_.Then(FakeEndpoint::Cut({FakeEndpoint::Text("half")}));
  StartServer();

  EXPECT_THAT(Generate(Request("call-1", "chat")), FailsWithReason("OUTCOME_UNKNOWN"));

  const FakeLedger::Entry entry = ledger_.entries().at("call-1");
  EXPECT_TRUE(entry.settle.outcome_unknown());
  EXPECT_EQ(entry.reservation.settled().usd_nanos(), 41 * 1'000 + 1'000 * 4'000);
  EXPECT_EQ(Calls()[0].outcome(), "INCOMPLETE");
  EXPECT_THAT(Generate(Request("call-1", "chat")), FailsWithReason("OUTCOME_UNKNOWN"));
  EXPECT_THAT(endpoint_.requests(), SizeIs(1));
}

TEST_F(GenerateTest, ReplyWithoutUsageIsDeliveredAndChargesTheWholeHold) {
  endpoint_.Then(FakeEndpoint::Stream(
      {FakeEndpoint::Text("all"), FakeEndpoint::Stop(), FakeEndpoint::Done()}));
  StartServer();

  ASSERT_OK_AND_ASSIGN(const Generated generated, Generate(Request("call-1", "chat")));

  EXPECT_EQ(generated.text, "all");
  EXPECT_TRUE(ledger_.entries().at("call-1").settle.outcome_unknown());
  EXPECT_EQ(Calls()[0].reason(), "USAGE_MISSING");
}

TEST_F(GenerateTest, DroppedScriptedReplyIsSettledByItsBooks) {
  WriteScript(R"({"reply":"Hello, world","usage":{"input":10,"output":20},
                  "fault":{"kind":"drop","after_bytes":5}})");
  StartServer();

  EXPECT_THAT(Generate(Request("call-1", "writer")), FailsWithReason("OUTCOME_UNKNOWN"));

  EXPECT_EQ(ledger_.entries().at("call-1").reservation.settled().usd_nanos(), 90'000);
  EXPECT_THAT(Books(), SizeIs(1));
}

TEST_F(GenerateTest, RateLimitClosesTheGateUntilItsTime) {
  endpoint_.Then(FakeEndpoint::Fail(429, {{"retry-after", "30"}}, "rate_limit_exceeded"));
  endpoint_.Then(FakeEndpoint::Stream({FakeEndpoint::Text("x"), FakeEndpoint::Stop(),
                                       FakeEndpoint::Usage(1, 0, 1), FakeEndpoint::Done()}));
  testkit::FakeClock clock;
  StartServer(clock);

  EXPECT_THAT(Generate(Request("call-1", "chat")), FailsWithReason("GATE_CLOSED"));
  clock.Advance(absl::Seconds(29));
  const absl::StatusOr<Generated> early = Generate(Request("call-2", "chat"));
  EXPECT_THAT(early, FailsWithReason("GATE_CLOSED"));
  EXPECT_EQ(base::DetailOf(early.status())->retry_after, absl::Seconds(1));
  EXPECT_THAT(endpoint_.requests(), SizeIs(1));
  clock.Advance(absl::Seconds(2));
  EXPECT_OK(Generate(Request("call-1", "chat")));

  EXPECT_EQ(ledger_.entries().at("call-1").reservation.state(), Reservation::STATE_RELEASED);
  EXPECT_EQ(ledger_.entries().at("call-1~2").reservation.state(), Reservation::STATE_SETTLED);
  EXPECT_EQ(Events()[1].payload().gate_changed().gate(), "providers/openai/models/gpt-test");
  server_.reset();
}

TEST_F(GenerateTest, ClosedGateSurvivesARestartAndAPersonOpensIt) {
  endpoint_.Then(FakeEndpoint::Fail(429, {}, "insufficient_quota"));
  StartServer();
  EXPECT_THAT(Generate(Request("call-1", "chat")), FailsWithReason("GATE_CLOSED"));
  server_.reset();
  StartServer();

  EXPECT_THAT(Generate(Request("call-2", "chat")), FailsWithReason("GATE_CLOSED"));
  EXPECT_THAT(endpoint_.requests(), SizeIs(1));
  v1::OpenGateRequest open;
  open.set_name("providers/openai");
  EXPECT_OK(rpc::CallUnary(*stub_, &Stub::OpenGate, open));
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::OpenGate, open), FailsWithReason("GATE_UNKNOWN"));
  EXPECT_THAT(Generate(Request("call-3", "chat")), FailsWithReason("GATE_CLOSED"));
  EXPECT_THAT(endpoint_.requests(), SizeIs(2));
}

TEST_F(GenerateTest, FallsBackToTheNextRouteAndSaysWhy) {
  endpoint_.Then(FakeEndpoint::Fail(429, {}, "insufficient_quota"));
  StartServer();

  ASSERT_OK_AND_ASSIGN(const Generated generated, Generate(Request("call-1", "both")));

  EXPECT_EQ(generated.outcome.provider(), "scripted");
  EXPECT_EQ(ledger_.entries().at("call-1").reservation.state(), Reservation::STATE_RELEASED);
  EXPECT_EQ(ledger_.entries().at("call-1~2").reservation.state(), Reservation::STATE_SETTLED);
  ASSERT_THAT(Calls()[0].route_reasons(), SizeIs(2));
  EXPECT_THAT(Calls()[0].route_reasons(0), HasSubstr("passed over"));
}

TEST_F(GenerateTest, TriesATransientFailureAgainWithANewHold) {
  endpoint_.Then(FakeEndpoint::Fail(500, {}, "oops"));
  endpoint_.Then(FakeEndpoint::Stream({FakeEndpoint::Text("x"), FakeEndpoint::Stop(),
                                       FakeEndpoint::Usage(1, 0, 1), FakeEndpoint::Done()}));
  StartServer();

  EXPECT_OK(Generate(Request("call-1", "chat")));

  EXPECT_THAT(ledger_.entries(), SizeIs(2));
  EXPECT_THAT(endpoint_.requests(), SizeIs(2));
}

TEST_F(GenerateTest, CallerThatGoesIsChargedTheHold) {
  endpoint_.Then(endpoint_.Hang({FakeEndpoint::Text("part")}));
  StartServer();
  grpc::ClientContext context;
  const auto reader = stub_->Generate(&context, Request("call-1", "chat"));
  v1::GenerateResponse response;
  ASSERT_TRUE(reader->Read(&response));

  context.TryCancel();
  reader->Finish();

  endpoint_.AwaitDisconnect();
  EXPECT_TRUE(ledger_.AwaitEnd("call-1").settle.outcome_unknown());
}

TEST_F(GenerateTest, RefusesWhatIsMalformed) {
  StartServer();

  EXPECT_THAT(Generate(Request("", "writer")), FailsWithReason("CALL_ID_INVALID"));
  EXPECT_THAT(Generate(Request("c", "Not a role")), FailsWithReason("ROLE_UNKNOWN"));
  EXPECT_THAT(Generate(Request("c", "nobody")), FailsWithReason("ROUTE_MISSING"));
  EXPECT_THAT(Generate(Request("c", "approved")), FailsWithReason("APPROVAL_REQUIRED"));
  EXPECT_THAT(Generate(Request("c", "writer", std::string(100'001, 'x'))),
              FailsWithReason("PROMPT_TOO_LARGE"));
  v1::GenerateRequest request = Request("c", "writer");
  request.mutable_scopes()->set_project("p");
  EXPECT_THAT(Generate(request), FailsWithReason("SCOPE_INVALID"));
  request = Request("c", "writer");
  request.clear_messages();
  EXPECT_THAT(Generate(request), FailsWithReason("PROMPT_INVALID"));
  EXPECT_THAT(ledger_.entries(), SizeIs(0));
}

TEST_F(GenerateTest, UnmatchedScriptNamesWhatIsMissing) {
  WriteScript(R"({"intent":"judge","reply":"x"})");
  StartServer();

  const absl::StatusOr<Generated> generated = Generate(Request("call-1", "writer"));

  EXPECT_THAT(generated, FailsWithReason("PROMPT_INVALID"));
  EXPECT_THAT(std::string(generated.status().message()), HasSubstr("SCRIPT_NO_MATCH"));
  EXPECT_EQ(ledger_.entries().at("call-1").reservation.state(), Reservation::STATE_RELEASED);
}

}  // namespace
}  // namespace slipway::models
