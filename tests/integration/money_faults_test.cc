#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/process.h"
#include "services/models/testing/server_fixture.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::models {
namespace {

namespace ledger_pb = ::slipway::ledger::v1;
using LedgerStub = ledger_pb::LedgerService::StubInterface;
using ledger_pb::Reservation;

// Prices of the upstreams, in billionths of a dollar a token.
constexpr int64_t kInputNanos = 1'000;
constexpr int64_t kOutputNanos = 4'000;
constexpr int64_t kBilledInput = 10;
constexpr int64_t kBilledOutput = 20;
constexpr int64_t kBill = kBilledInput * kInputNanos + kBilledOutput * kOutputNanos;

constexpr char kPrices[] = R"(version: 1
prices:
  - {provider: openai, model: gpt-test, effective: 2026-01-01, usd_per_mtok: {input: 1, output: 4}, source: a test}
  - {provider: scripted, model: script-1, effective: 2026-01-01, usd_per_mtok: {input: 1, output: 4}, source: a test}
)";

// An upstream that a test leads through its reply step by step. What it bills is written down when
// it begins to answer, as providers do.
class SteeredUpstream final {
 public:
  FakeEndpoint::Answer Answer() {
    return [this](const FakeEndpoint::Writer& writer) {
      base::MutexLock lock(mutex_);
      writer_ = writer;
      ++requests_;
      billed_usd_nanos_ += kBill;
      changed_.NotifyAll();
    };
  }

  void AwaitRequest() {
    base::MutexLock lock(mutex_);
    while (requests_ == 0) changed_.Wait(mutex_);
  }
  void Begin() {
    base::MutexLock lock(mutex_);
    writer_->Start(200, {{"Content-Type", "text/event-stream"}});
    writer_->Write(FakeEndpoint::Text("Hello"));
  }
  void End() {
    base::MutexLock lock(mutex_);
    for (const std::string& frame :
         {FakeEndpoint::Stop(), FakeEndpoint::Usage(kBilledInput, 0, kBilledOutput),
          FakeEndpoint::Done()}) {
      writer_->Write(frame);
    }
    writer_->Finish();
    writer_.reset();
  }
  void BreakOff() {
    base::MutexLock lock(mutex_);
    writer_.reset();
  }
  int64_t billed_usd_nanos() {
    base::MutexLock lock(mutex_);
    return billed_usd_nanos_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  FakeEndpoint::Writer writer_ ABSL_GUARDED_BY(mutex_);
  int requests_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t billed_usd_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The programs of the ledger and of models, an agent's call through the proxy, and an upstream
// whose own log is the truth. Whatever is killed, the ledger must end above or at the bill.
class MoneyFaultsTest : public ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    ledger_.GoAway();
    ASSERT_OK(base::WriteFileAtomic(directory_.File("prices.yaml"), kPrices));
    ASSERT_OK(base::WriteFileAtomic(
        directory_.File("ledger.yaml"),
        absl::StrCat("listen: {address: \"", ledger_address_,
                     "\"}\ndatabase: ", directory_.File("ledger.db"), "\nprice_files: [",
                     directory_.File("prices.yaml"), "]\n")));
    ASSERT_OK(base::WriteFileAtomic(directory_.File("models.yaml"), ConfigText()));
    books_ = ledger_pb::LedgerService::NewStub(rpc::MakeChannel(ledger_address_));
    StartLedger();
    StartModels();
    key_ = IssueKey();
  }

  static std::unique_ptr<base::Process> Spawn(const char* program, const std::string& config) {
    return std::make_unique<base::Process>(
        base::Process::Spawn({.argv = {program, "--config", config}, .inherit_env = true}).value());
  }
  void StartLedger() {
    ledger_process_ = Spawn(SLIPWAY_LEDGER, directory_.File("ledger.yaml"));
    // A connection to the one before may be found broken first.
    Await([this] {
      return rpc::CallUnary(*books_, &LedgerStub::ListReservations,
                            ledger_pb::ListReservationsRequest(), kPatient)
          .ok();
    });
  }
  void StartModels() {
    models_process_ = Spawn(SLIPWAY_MODELS, directory_.File("models.yaml"));
    Connect();
    ASSERT_OK(rpc::CallUnary(*stub_, &Stub::ListRoutes, v1::ListRoutesRequest(), kPatient));
  }
  void KillLedger() { Kill(*ledger_process_); }
  void KillModels() { Kill(*models_process_); }
  void RestartLedger() {
    KillLedger();
    StartLedger();
  }
  void RestartModels() {
    KillModels();
    StartModels();
  }

  // An agent's call, which ends in its own time.
  void Call(const std::string& role) {
    agent_ = std::thread([this, role] {
      response_ = http::Client().Fetch(ChatRequest(key_, role, R"("stream":true)"));
    });
  }
  http::Client::Response AwaitResponse() {
    if (agent_.joinable()) agent_.join();
    return response_;
  }
  void TearDown() override { AwaitResponse(); }

  std::vector<Reservation> Reservations() {
    const auto list = rpc::CallUnary(*books_, &LedgerStub::ListReservations,
                                     ledger_pb::ListReservationsRequest(), kPatient);
    EXPECT_OK(list);
    if (!list.ok()) return {};
    return {list->reservations().begin(), list->reservations().end()};
  }
  void AwaitHold() {
    Await([this] { return !Reservations().empty(); });
  }

  // Of the newest call, in the books of models.
  void AwaitEnd() {
    Await([this] {
      const auto list = rpc::CallUnary(*stub_, &Stub::ListCalls, v1::ListCallsRequest(), kPatient);
      return list.ok() && list->calls_size() > 0 && list->calls(0).has_end_time();
    });
  }

  // What the ledger says was spent, once nothing is held any more.
  int64_t SpentWhenSettled() {
    Await([this] {
      for (const Reservation& reservation : Reservations()) {
        if (reservation.state() == Reservation::STATE_HELD) return false;
      }
      return true;
    });
    int64_t spent = 0;
    for (const Reservation& reservation : Reservations()) {
      spent += reservation.settled().usd_nanos();
    }
    return spent;
  }

  // By the scripted provider's own log.
  int64_t BilledByScript() const {
    int64_t billed = 0;
    for (const nlohmann::json& line : Books()) {
      billed +=
          line["input"].get<int64_t>() * kInputNanos + line["output"].get<int64_t>() * kOutputNanos;
    }
    return billed;
  }

  // Asks over sockets until it holds.
  template <typename Condition>
  static void Await(Condition condition) {
    const absl::Duration end = base::RealClock().Elapsed() + absl::Seconds(60);
    while (!condition()) {
      ASSERT_LT(base::RealClock().Elapsed(), end) << "it never held";
    }
  }

  static constexpr rpc::CallOptions Patience() {
    return {.timeout = absl::Seconds(60), .wait_for_ready = true};
  }
  const rpc::CallOptions kPatient = Patience();

  static void Kill(base::Process& process) {
    process.Signal(SIGKILL);
    ASSERT_OK(process.Wait(absl::Seconds(10)));
  }

  SteeredUpstream upstream_;
  std::unique_ptr<base::Process> ledger_process_;
  std::unique_ptr<base::Process> models_process_;
  std::unique_ptr<LedgerStub> books_;
  std::string key_;
  std::thread agent_;
  http::Client::Response response_;
};

TEST_F(MoneyFaultsTest, ACallIsBilledToTheNanoDollar) {
  endpoint_.Then(upstream_.Answer());
  Call("chat");
  upstream_.AwaitRequest();
  upstream_.Begin();
  upstream_.End();

  EXPECT_EQ(AwaitResponse().result.http_status, 200);
  EXPECT_EQ(SpentWhenSettled(), upstream_.billed_usd_nanos());
}

TEST_F(MoneyFaultsTest, WithoutALedgerNothingIsSentAndNothingIsOwed) {
  endpoint_.Then(upstream_.Answer());
  KillLedger();

  Call("chat");

  EXPECT_GE(AwaitResponse().result.http_status, 500);
  EXPECT_EQ(upstream_.billed_usd_nanos(), 0);
  StartLedger();
  EXPECT_EQ(SpentWhenSettled(), 0);
}

TEST_F(MoneyFaultsTest, ALedgerKilledBeforeTheFirstByteLearnsTheBill) {
  endpoint_.Then(upstream_.Answer());
  Call("chat");
  upstream_.AwaitRequest();
  RestartLedger();
  upstream_.Begin();
  upstream_.End();

  EXPECT_EQ(AwaitResponse().result.http_status, 200);
  EXPECT_EQ(SpentWhenSettled(), upstream_.billed_usd_nanos());
}

TEST_F(MoneyFaultsTest, ALedgerKilledAmidTheReplyLearnsTheBillWhenItIsBack) {
  endpoint_.Then(upstream_.Answer());
  Call("chat");
  upstream_.AwaitRequest();
  upstream_.Begin();
  KillLedger();
  upstream_.End();

  EXPECT_EQ(AwaitResponse().result.http_status, 200) << "what was held may be spent";
  StartLedger();
  EXPECT_EQ(SpentWhenSettled(), upstream_.billed_usd_nanos());
}

TEST_F(MoneyFaultsTest, ALedgerThatIsAwayWhileTheReplyBreaksOffChargesTheHold) {
  endpoint_.Then(upstream_.Answer());
  Call("chat");
  upstream_.AwaitRequest();
  upstream_.Begin();
  KillLedger();
  upstream_.BreakOff();

  AwaitResponse();
  StartLedger();
  EXPECT_GE(SpentWhenSettled(), upstream_.billed_usd_nanos());
}

TEST_F(MoneyFaultsTest, ALedgerKilledAfterTheSettlementStillKnowsIt) {
  endpoint_.Then(upstream_.Answer());
  Call("chat");
  upstream_.AwaitRequest();
  upstream_.Begin();
  upstream_.End();
  AwaitResponse();
  ASSERT_EQ(SpentWhenSettled(), upstream_.billed_usd_nanos());

  RestartLedger();

  EXPECT_EQ(SpentWhenSettled(), upstream_.billed_usd_nanos());
}

TEST_F(MoneyFaultsTest, ModelsKilledBeforeTheFirstByteIsChargedTheHold) {
  endpoint_.Then(upstream_.Answer());
  Call("chat");
  upstream_.AwaitRequest();

  RestartModels();

  AwaitResponse();
  EXPECT_GE(SpentWhenSettled(), upstream_.billed_usd_nanos());
}

TEST_F(MoneyFaultsTest, ModelsKilledAmidTheReplyIsChargedTheHold) {
  endpoint_.Then(upstream_.Answer());
  Call("chat");
  upstream_.AwaitRequest();
  upstream_.Begin();

  RestartModels();

  AwaitResponse();
  EXPECT_GE(SpentWhenSettled(), upstream_.billed_usd_nanos());
}

TEST_F(MoneyFaultsTest, BothKilledAmidTheReplyAreChargedTheHold) {
  endpoint_.Then(upstream_.Answer());
  Call("chat");
  upstream_.AwaitRequest();
  upstream_.Begin();
  KillLedger();
  KillModels();

  StartModels();  // Before the ledger: what it owes waits.
  StartLedger();

  AwaitResponse();
  EXPECT_GE(SpentWhenSettled(), upstream_.billed_usd_nanos());
}

TEST_F(MoneyFaultsTest, ModelsKilledWithABillThatItOwesPaysItExactly) {
  endpoint_.Then(upstream_.Answer());
  Call("chat");
  upstream_.AwaitRequest();
  upstream_.Begin();
  KillLedger();
  upstream_.End();
  ASSERT_EQ(AwaitResponse().result.http_status, 200);
  AwaitEnd();  // Which is stored after the last byte was passed on.

  RestartModels();
  StartLedger();

  EXPECT_EQ(SpentWhenSettled(), upstream_.billed_usd_nanos());
}

// The upstream with books: what it billed is known after every crash.
constexpr char kHangingScript[] = R"({"reply":"Hello, world","usage":{"input":10,"output":20},
                                      "fault":{"kind":"hang","after_bytes":40}})";

TEST_F(MoneyFaultsTest, AfterModelsAreKilledTheBooksOfTheProviderAreFollowedExactly) {
  WriteScript(kHangingScript);
  RestartModels();
  Call("writer");
  Await([this] { return !Books().empty(); });

  RestartModels();

  AwaitResponse();
  EXPECT_EQ(BilledByScript(), kBill);
  EXPECT_EQ(SpentWhenSettled(), BilledByScript());
}

TEST_F(MoneyFaultsTest, AfterBothAreKilledTheBooksOfTheProviderAreFollowedExactly) {
  WriteScript(kHangingScript);
  RestartModels();
  Call("writer");
  Await([this] { return !Books().empty(); });
  KillLedger();
  KillModels();

  StartLedger();
  StartModels();

  AwaitResponse();
  EXPECT_EQ(SpentWhenSettled(), BilledByScript());
}

TEST_F(MoneyFaultsTest, WhatTheProviderNeverBilledIsGivenBackAfterBothAreKilled) {
  WriteScript(R"({"reply":"late","latency_ms":3600000})");
  RestartModels();
  Call("writer");
  AwaitHold();
  KillModels();
  KillLedger();

  StartLedger();
  StartModels();

  AwaitResponse();
  EXPECT_EQ(BilledByScript(), 0);
  EXPECT_EQ(SpentWhenSettled(), 0);
}

struct ReplyFault {
  const char* name;
  const char* fault;
};
class MoneyFaultsOfReplies : public MoneyFaultsTest,
                             public ::testing::WithParamInterface<ReplyFault> {};

TEST_P(MoneyFaultsOfReplies, EndWhereTheBooksOfTheProviderSayWhoeverWasAway) {
  WriteScript(absl::StrCat(
      R"({"reply":"Hello, world","usage":{"input":10,"output":20},"latency_ms":300,"fault":)",
      GetParam().fault, "}"));
  RestartModels();
  Call("writer");
  AwaitHold();
  KillLedger();  // It is away when the reply ends.
  AwaitResponse();
  StartLedger();

  // Nothing, when the answer of the hold died with the ledger: then nothing was sent.
  EXPECT_THAT(BilledByScript(), ::testing::AnyOf(kBill, 0));
  EXPECT_EQ(SpentWhenSettled(), BilledByScript());
}

INSTANTIATE_TEST_SUITE_P(
    , MoneyFaultsOfReplies,
    ::testing::Values(ReplyFault{"Cut", R"({"kind":"drop","after_bytes":60})"},
                      ReplyFault{"UsageMissing", R"({"kind":"no_usage"})"},
                      ReplyFault{"UsageTwice", R"({"kind":"usage_twice"})"},
                      ReplyFault{"UsageInTheErrorFrame",
                                 R"({"kind":"usage_in_error","after_bytes":5})"},
                      ReplyFault{"RateLimitAmidTheStream",
                                 R"({"kind":"stream_error","status":429,"after_bytes":5})"},
                      ReplyFault{"OverloadAmidTheStream",
                                 R"({"kind":"stream_error","status":529,"after_bytes":5})"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace slipway::models
